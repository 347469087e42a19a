/* NVML's functions by number. Made by tools/make_symbols.py from nvml/symbols.csv. */
#ifndef VGM_SYMBOLS_H
#define VGM_SYMBOLS_H

enum vgm_function {
    F_nvmlComputeInstanceDestroy = 0,
    F_nvmlComputeInstanceGetInfo = 1,
    F_nvmlComputeInstanceGetInfo_v2 = 2,
    F_nvmlDeviceClearAccountingPids = 3,
    F_nvmlDeviceClearCpuAffinity = 4,
    F_nvmlDeviceClearEccErrorCounts = 5,
    F_nvmlDeviceClearFieldValues = 6,
    F_nvmlDeviceCreateGpuInstance = 7,
    F_nvmlDeviceCreateGpuInstanceWithPlacement = 8,
    F_nvmlDeviceDiscoverGpus = 9,
    F_nvmlDeviceFreezeNvLinkUtilizationCounter = 10,
    F_nvmlDeviceGetAPIRestriction = 11,
    F_nvmlDeviceGetAccountingBufferSize = 12,
    F_nvmlDeviceGetAccountingMode = 13,
    F_nvmlDeviceGetAccountingPids = 14,
    F_nvmlDeviceGetAccountingStats = 15,
    F_nvmlDeviceGetAccountingStats_v2 = 16,
    F_nvmlDeviceGetActiveVgpus = 17,
    F_nvmlDeviceGetAdaptiveClockInfoStatus = 18,
    F_nvmlDeviceGetAdaptiveTgpModeInfo_v1 = 19,
    F_nvmlDeviceGetAddressingMode = 20,
    F_nvmlDeviceGetApplicationsClock = 21,
    F_nvmlDeviceGetArchitecture = 22,
    F_nvmlDeviceGetAttributes = 23,
    F_nvmlDeviceGetAttributes_v2 = 24,
    F_nvmlDeviceGetAutoBoostedClocksEnabled = 25,
    F_nvmlDeviceGetBAR1MemoryInfo = 26,
    F_nvmlDeviceGetBBXTimeData_v1 = 27,
    F_nvmlDeviceGetBankRemapperStatus_v1 = 28,
    F_nvmlDeviceGetBoardId = 29,
    F_nvmlDeviceGetBoardPartNumber = 30,
    F_nvmlDeviceGetBrand = 31,
    F_nvmlDeviceGetBridgeChipInfo = 32,
    F_nvmlDeviceGetBusType = 33,
    F_nvmlDeviceGetC2cModeInfoV = 34,
    F_nvmlDeviceGetCapabilities = 35,
    F_nvmlDeviceGetClkMonStatus = 36,
    F_nvmlDeviceGetClock = 37,
    F_nvmlDeviceGetClockInfo = 38,
    F_nvmlDeviceGetClockOffsets = 39,
    F_nvmlDeviceGetComputeInstanceId = 40,
    F_nvmlDeviceGetComputeMode = 41,
    F_nvmlDeviceGetComputeRunningProcesses = 42,
    F_nvmlDeviceGetComputeRunningProcesses_v2 = 43,
    F_nvmlDeviceGetComputeRunningProcesses_v3 = 44,
    F_nvmlDeviceGetConfComputeGpuAttestationReport = 45,
    F_nvmlDeviceGetConfComputeGpuCertificate = 46,
    F_nvmlDeviceGetConfComputeMemSizeInfo = 47,
    F_nvmlDeviceGetConfComputeProtectedMemoryUsage = 48,
    F_nvmlDeviceGetCoolerInfo = 49,
    F_nvmlDeviceGetCount = 50,
    F_nvmlDeviceGetCount_v2 = 51,
    F_nvmlDeviceGetCpuAffinity = 52,
    F_nvmlDeviceGetCpuAffinityWithinScope = 53,
    F_nvmlDeviceGetCreatableVgpus = 54,
    F_nvmlDeviceGetCudaComputeCapability = 55,
    F_nvmlDeviceGetCurrPcieLinkGeneration = 56,
    F_nvmlDeviceGetCurrPcieLinkWidth = 57,
    F_nvmlDeviceGetCurrentClockFreqs = 58,
    F_nvmlDeviceGetCurrentClocksEventReasons = 59,
    F_nvmlDeviceGetCurrentClocksThrottleReasons = 60,
    F_nvmlDeviceGetDecoderUtilization = 61,
    F_nvmlDeviceGetDefaultApplicationsClock = 62,
    F_nvmlDeviceGetDefaultEccMode = 63,
    F_nvmlDeviceGetDetailedEccErrors = 64,
    F_nvmlDeviceGetDeviceHandleFromMigDeviceHandle = 65,
    F_nvmlDeviceGetDisplayActive = 66,
    F_nvmlDeviceGetDisplayMode = 67,
    F_nvmlDeviceGetDramEncryptionMode = 68,
    F_nvmlDeviceGetDriverModel = 69,
    F_nvmlDeviceGetDriverModel_v2 = 70,
    F_nvmlDeviceGetDynamicPstatesInfo = 71,
    F_nvmlDeviceGetEccMode = 72,
    F_nvmlDeviceGetEncoderCapacity = 73,
    F_nvmlDeviceGetEncoderSessions = 74,
    F_nvmlDeviceGetEncoderStats = 75,
    F_nvmlDeviceGetEncoderUtilization = 76,
    F_nvmlDeviceGetEnforcedPowerLimit = 77,
    F_nvmlDeviceGetFBCSessions = 78,
    F_nvmlDeviceGetFBCStats = 79,
    F_nvmlDeviceGetFanControlPolicy_v2 = 80,
    F_nvmlDeviceGetFanSpeed = 81,
    F_nvmlDeviceGetFanSpeedRPM = 82,
    F_nvmlDeviceGetFanSpeed_v2 = 83,
    F_nvmlDeviceGetFieldValues = 84,
    F_nvmlDeviceGetGpcClkMinMaxVfOffset = 85,
    F_nvmlDeviceGetGpcClkVfOffset = 86,
    F_nvmlDeviceGetGpuFabricInfo = 87,
    F_nvmlDeviceGetGpuFabricInfoV = 88,
    F_nvmlDeviceGetGpuFabricInfo_v4 = 89,
    F_nvmlDeviceGetGpuInstanceById = 90,
    F_nvmlDeviceGetGpuInstanceId = 91,
    F_nvmlDeviceGetGpuInstancePossiblePlacements = 92,
    F_nvmlDeviceGetGpuInstancePossiblePlacements_v2 = 93,
    F_nvmlDeviceGetGpuInstanceProfileInfo = 94,
    F_nvmlDeviceGetGpuInstanceProfileInfoByIdV = 95,
    F_nvmlDeviceGetGpuInstanceProfileInfoV = 96,
    F_nvmlDeviceGetGpuInstanceRemainingCapacity = 97,
    F_nvmlDeviceGetGpuInstances = 98,
    F_nvmlDeviceGetGpuMaxPcieLinkGeneration = 99,
    F_nvmlDeviceGetGpuOperationMode = 100,
    F_nvmlDeviceGetGpuUptime_v1 = 101,
    F_nvmlDeviceGetGraphicsRunningProcesses = 102,
    F_nvmlDeviceGetGraphicsRunningProcesses_v2 = 103,
    F_nvmlDeviceGetGraphicsRunningProcesses_v3 = 104,
    F_nvmlDeviceGetGridLicensableFeatures = 105,
    F_nvmlDeviceGetGridLicensableFeatures_v2 = 106,
    F_nvmlDeviceGetGridLicensableFeatures_v3 = 107,
    F_nvmlDeviceGetGridLicensableFeatures_v4 = 108,
    F_nvmlDeviceGetGspFirmwareMode = 109,
    F_nvmlDeviceGetGspFirmwareVersion = 110,
    F_nvmlDeviceGetHandleByIndex = 111,
    F_nvmlDeviceGetHandleByIndex_v2 = 112,
    F_nvmlDeviceGetHandleByPciBusId = 113,
    F_nvmlDeviceGetHandleByPciBusId_v2 = 114,
    F_nvmlDeviceGetHandleBySerial = 115,
    F_nvmlDeviceGetHandleByUUID = 116,
    F_nvmlDeviceGetHandleByUUIDV = 117,
    F_nvmlDeviceGetHostVgpuMode = 118,
    F_nvmlDeviceGetHostname_v1 = 119,
    F_nvmlDeviceGetIndex = 120,
    F_nvmlDeviceGetInforomConfigurationChecksum = 121,
    F_nvmlDeviceGetInforomImageVersion = 122,
    F_nvmlDeviceGetInforomVersion = 123,
    F_nvmlDeviceGetIrqNum = 124,
    F_nvmlDeviceGetJpgUtilization = 125,
    F_nvmlDeviceGetLastBBXFlushTime = 126,
    F_nvmlDeviceGetMPSComputeRunningProcesses = 127,
    F_nvmlDeviceGetMPSComputeRunningProcesses_v2 = 128,
    F_nvmlDeviceGetMPSComputeRunningProcesses_v3 = 129,
    F_nvmlDeviceGetMarginTemperature = 130,
    F_nvmlDeviceGetMaxClockInfo = 131,
    F_nvmlDeviceGetMaxCustomerBoostClock = 132,
    F_nvmlDeviceGetMaxMigDeviceCount = 133,
    F_nvmlDeviceGetMaxPcieLinkGeneration = 134,
    F_nvmlDeviceGetMaxPcieLinkWidth = 135,
    F_nvmlDeviceGetMemClkMinMaxVfOffset = 136,
    F_nvmlDeviceGetMemClkVfOffset = 137,
    F_nvmlDeviceGetMemoryAffinity = 138,
    F_nvmlDeviceGetMemoryBusWidth = 139,
    F_nvmlDeviceGetMemoryErrorCounter = 140,
    F_nvmlDeviceGetMemoryInfo = 141,
    F_nvmlDeviceGetMemoryInfo_v2 = 142,
    F_nvmlDeviceGetMemoryLimits_v1 = 143,
    F_nvmlDeviceGetMigDeviceHandleByIndex = 144,
    F_nvmlDeviceGetMigMode = 145,
    F_nvmlDeviceGetMinMaxClockOfPState = 146,
    F_nvmlDeviceGetMinMaxFanSpeed = 147,
    F_nvmlDeviceGetMinorNumber = 148,
    F_nvmlDeviceGetModuleId = 149,
    F_nvmlDeviceGetMultiGpuBoard = 150,
    F_nvmlDeviceGetName = 151,
    F_nvmlDeviceGetNumFans = 152,
    F_nvmlDeviceGetNumGpuCores = 153,
    F_nvmlDeviceGetNumaNodeId = 154,
    F_nvmlDeviceGetNvLinkCapability = 155,
    F_nvmlDeviceGetNvLinkErrorCounter = 156,
    F_nvmlDeviceGetNvLinkInfo = 157,
    F_nvmlDeviceGetNvLinkInfo_v3 = 158,
    F_nvmlDeviceGetNvLinkRemoteDeviceType = 159,
    F_nvmlDeviceGetNvLinkRemotePciInfo = 160,
    F_nvmlDeviceGetNvLinkRemotePciInfo_v2 = 161,
    F_nvmlDeviceGetNvLinkState = 162,
    F_nvmlDeviceGetNvLinkTelemetrySamples_v1 = 163,
    F_nvmlDeviceGetNvLinkUtilizationControl = 164,
    F_nvmlDeviceGetNvLinkUtilizationCounter = 165,
    F_nvmlDeviceGetNvLinkVersion = 166,
    F_nvmlDeviceGetNvlinkBwMode = 167,
    F_nvmlDeviceGetNvlinkNvlePrivateInfo_v1 = 168,
    F_nvmlDeviceGetNvlinkRemapTableInfo_v1 = 169,
    F_nvmlDeviceGetNvlinkSupportedBwModes = 170,
    F_nvmlDeviceGetOfaUtilization = 171,
    F_nvmlDeviceGetP2PStatus = 172,
    F_nvmlDeviceGetPciInfo = 173,
    F_nvmlDeviceGetPciInfoExt = 174,
    F_nvmlDeviceGetPciInfo_v2 = 175,
    F_nvmlDeviceGetPciInfo_v3 = 176,
    F_nvmlDeviceGetPcieLinkMaxSpeed = 177,
    F_nvmlDeviceGetPcieReplayCounter = 178,
    F_nvmlDeviceGetPcieSpeed = 179,
    F_nvmlDeviceGetPcieThroughput = 180,
    F_nvmlDeviceGetPdi = 181,
    F_nvmlDeviceGetPerformanceModes = 182,
    F_nvmlDeviceGetPerformanceState = 183,
    F_nvmlDeviceGetPersistenceMode = 184,
    F_nvmlDeviceGetPgpuMetadataString = 185,
    F_nvmlDeviceGetPlatformInfo = 186,
    F_nvmlDeviceGetPowerManagementDefaultLimit = 187,
    F_nvmlDeviceGetPowerManagementLimit = 188,
    F_nvmlDeviceGetPowerManagementLimitConstraints = 189,
    F_nvmlDeviceGetPowerManagementMode = 190,
    F_nvmlDeviceGetPowerMizerMode_v1 = 191,
    F_nvmlDeviceGetPowerSource = 192,
    F_nvmlDeviceGetPowerState = 193,
    F_nvmlDeviceGetPowerUsage = 194,
    F_nvmlDeviceGetProcessUtilization = 195,
    F_nvmlDeviceGetProcessesUtilizationInfo = 196,
    F_nvmlDeviceGetRemappedRows = 197,
    F_nvmlDeviceGetRemappedRows_v2 = 198,
    F_nvmlDeviceGetRepairStatus = 199,
    F_nvmlDeviceGetRetiredPages = 200,
    F_nvmlDeviceGetRetiredPagesPendingStatus = 201,
    F_nvmlDeviceGetRetiredPages_v2 = 202,
    F_nvmlDeviceGetRowRemapperHistogram = 203,
    F_nvmlDeviceGetRunningProcessDetailList = 204,
    F_nvmlDeviceGetSamples = 205,
    F_nvmlDeviceGetSerial = 206,
    F_nvmlDeviceGetSramEccErrorStatus = 207,
    F_nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts = 208,
    F_nvmlDeviceGetSupportedClocksEventReasons = 209,
    F_nvmlDeviceGetSupportedClocksThrottleReasons = 210,
    F_nvmlDeviceGetSupportedEventTypes = 211,
    F_nvmlDeviceGetSupportedGraphicsClocks = 212,
    F_nvmlDeviceGetSupportedMemoryClocks = 213,
    F_nvmlDeviceGetSupportedPerformanceStates = 214,
    F_nvmlDeviceGetSupportedVgpus = 215,
    F_nvmlDeviceGetTargetFanSpeed = 216,
    F_nvmlDeviceGetTemperature = 217,
    F_nvmlDeviceGetTemperatureThreshold = 218,
    F_nvmlDeviceGetTemperatureV = 219,
    F_nvmlDeviceGetThermalSettings = 220,
    F_nvmlDeviceGetTopologyCommonAncestor = 221,
    F_nvmlDeviceGetTopologyNearestGpus = 222,
    F_nvmlDeviceGetTotalEccErrors = 223,
    F_nvmlDeviceGetTotalEnergyConsumption = 224,
    F_nvmlDeviceGetUUID = 225,
    F_nvmlDeviceGetUnrepairableMemoryFlag_v1 = 226,
    F_nvmlDeviceGetUtilizationRates = 227,
    F_nvmlDeviceGetVbiosVersion = 228,
    F_nvmlDeviceGetVgpuCapabilities = 229,
    F_nvmlDeviceGetVgpuHeterogeneousMode = 230,
    F_nvmlDeviceGetVgpuInstancesUtilizationInfo = 231,
    F_nvmlDeviceGetVgpuMetadata = 232,
    F_nvmlDeviceGetVgpuProcessUtilization = 233,
    F_nvmlDeviceGetVgpuProcessesUtilizationInfo = 234,
    F_nvmlDeviceGetVgpuSchedulerCapabilities = 235,
    F_nvmlDeviceGetVgpuSchedulerLog = 236,
    F_nvmlDeviceGetVgpuSchedulerLog_v2 = 237,
    F_nvmlDeviceGetVgpuSchedulerState = 238,
    F_nvmlDeviceGetVgpuSchedulerState_v2 = 239,
    F_nvmlDeviceGetVgpuTypeCreatablePlacements = 240,
    F_nvmlDeviceGetVgpuTypeSupportedPlacements = 241,
    F_nvmlDeviceGetVgpuUtilization = 242,
    F_nvmlDeviceGetViolationStatus = 243,
    F_nvmlDeviceGetVirtualizationMode = 244,
    F_nvmlDeviceIsMigDeviceHandle = 245,
    F_nvmlDeviceLockNvlinkRemapTable_v1 = 246,
    F_nvmlDeviceModifyDrainState = 247,
    F_nvmlDeviceOnSameBoard = 248,
    F_nvmlDevicePerfMetricsGetSamples_v1 = 249,
    F_nvmlDevicePowerSmoothingActivatePresetProfile = 250,
    F_nvmlDevicePowerSmoothingSetState = 251,
    F_nvmlDevicePowerSmoothingUpdatePresetProfileParam = 252,
    F_nvmlDeviceQueryDrainState = 253,
    F_nvmlDeviceReadPRMCounters_v1 = 254,
    F_nvmlDeviceReadWritePRM_v1 = 255,
    F_nvmlDeviceRegisterEvents = 256,
    F_nvmlDeviceRemoveGpu = 257,
    F_nvmlDeviceRemoveGpu_v2 = 258,
    F_nvmlDeviceResetApplicationsClocks = 259,
    F_nvmlDeviceResetGpuLockedClocks = 260,
    F_nvmlDeviceResetMemoryLockedClocks = 261,
    F_nvmlDeviceResetNvLinkErrorCounters = 262,
    F_nvmlDeviceResetNvLinkUtilizationCounter = 263,
    F_nvmlDeviceSetAPIRestriction = 264,
    F_nvmlDeviceSetAccountingMode = 265,
    F_nvmlDeviceSetAdaptiveTgpMode_v1 = 266,
    F_nvmlDeviceSetApplicationsClocks = 267,
    F_nvmlDeviceSetAutoBoostedClocksEnabled = 268,
    F_nvmlDeviceSetClockOffsets = 269,
    F_nvmlDeviceSetComputeMode = 270,
    F_nvmlDeviceSetConfComputeUnprotectedMemSize = 271,
    F_nvmlDeviceSetCpuAffinity = 272,
    F_nvmlDeviceSetDefaultAutoBoostedClocksEnabled = 273,
    F_nvmlDeviceSetDefaultFanSpeed_v2 = 274,
    F_nvmlDeviceSetDramEncryptionMode = 275,
    F_nvmlDeviceSetDriverModel = 276,
    F_nvmlDeviceSetEccMode = 277,
    F_nvmlDeviceSetFanControlPolicy = 278,
    F_nvmlDeviceSetFanSpeed_v2 = 279,
    F_nvmlDeviceSetGpcClkVfOffset = 280,
    F_nvmlDeviceSetGpuLockedClocks = 281,
    F_nvmlDeviceSetGpuOperationMode = 282,
    F_nvmlDeviceSetHostname_v1 = 283,
    F_nvmlDeviceSetMemClkVfOffset = 284,
    F_nvmlDeviceSetMemoryLimits_v1 = 285,
    F_nvmlDeviceSetMemoryLockedClocks = 286,
    F_nvmlDeviceSetMigMode = 287,
    F_nvmlDeviceSetNvLinkDeviceLowPowerThreshold = 288,
    F_nvmlDeviceSetNvLinkUtilizationControl = 289,
    F_nvmlDeviceSetNvlinkBwMode = 290,
    F_nvmlDeviceSetNvlinkBwModeAsync_v1 = 291,
    F_nvmlDeviceSetNvlinkNvleReady_v1 = 292,
    F_nvmlDeviceSetPersistenceMode = 293,
    F_nvmlDeviceSetPowerManagementLimit = 294,
    F_nvmlDeviceSetPowerManagementLimit_v2 = 295,
    F_nvmlDeviceSetPowerMizerMode_v1 = 296,
    F_nvmlDeviceSetRusdSettings_v1 = 297,
    F_nvmlDeviceSetTemperatureThreshold = 298,
    F_nvmlDeviceSetVgpuCapabilities = 299,
    F_nvmlDeviceSetVgpuHeterogeneousMode = 300,
    F_nvmlDeviceSetVgpuSchedulerState = 301,
    F_nvmlDeviceSetVgpuSchedulerState_v2 = 302,
    F_nvmlDeviceSetVirtualizationMode = 303,
    F_nvmlDeviceSetupNvlinkNvleEncryptionKey_v1 = 304,
    F_nvmlDeviceValidateInforom = 305,
    F_nvmlDeviceVgpuForceGspUnload = 306,
    F_nvmlDeviceWorkloadPowerProfileClearRequestedProfiles = 307,
    F_nvmlDeviceWorkloadPowerProfileGetCurrentProfiles = 308,
    F_nvmlDeviceWorkloadPowerProfileGetProfilesInfo = 309,
    F_nvmlDeviceWorkloadPowerProfileSetRequestedProfiles = 310,
    F_nvmlDeviceWorkloadPowerProfileUpdateProfiles_v1 = 311,
    F_nvmlErrorString = 312,
    F_nvmlEventSetCreate = 313,
    F_nvmlEventSetFree = 314,
    F_nvmlEventSetGetContextCount_v1 = 315,
    F_nvmlEventSetGetContextData_v1 = 316,
    F_nvmlEventSetGetContextInfo_v1 = 317,
    F_nvmlEventSetGetGpuOperationalEventContextLegacyXid_v1 = 318,
    F_nvmlEventSetRegisterGpuOperationalEvents_v1 = 319,
    F_nvmlEventSetWait = 320,
    F_nvmlEventSetWait_v2 = 321,
    F_nvmlEventSetWait_v3 = 322,
    F_nvmlGetBlacklistDeviceCount = 323,
    F_nvmlGetBlacklistDeviceInfoByIndex = 324,
    F_nvmlGetExcludedDeviceCount = 325,
    F_nvmlGetExcludedDeviceInfoByIndex = 326,
    F_nvmlGetVgpuCompatibility = 327,
    F_nvmlGetVgpuDriverCapabilities = 328,
    F_nvmlGetVgpuVersion = 329,
    F_nvmlGpmMetricsGet = 330,
    F_nvmlGpmMigSampleGet = 331,
    F_nvmlGpmQueryDeviceSupport = 332,
    F_nvmlGpmQueryIfStreamingEnabled = 333,
    F_nvmlGpmSampleAlloc = 334,
    F_nvmlGpmSampleFree = 335,
    F_nvmlGpmSampleGet = 336,
    F_nvmlGpmSetStreamingEnabled = 337,
    F_nvmlGpuInstanceCreateComputeInstance = 338,
    F_nvmlGpuInstanceCreateComputeInstanceWithPlacement = 339,
    F_nvmlGpuInstanceDestroy = 340,
    F_nvmlGpuInstanceGetActiveVgpus = 341,
    F_nvmlGpuInstanceGetComputeInstanceById = 342,
    F_nvmlGpuInstanceGetComputeInstancePossiblePlacements = 343,
    F_nvmlGpuInstanceGetComputeInstanceProfileInfo = 344,
    F_nvmlGpuInstanceGetComputeInstanceProfileInfoV = 345,
    F_nvmlGpuInstanceGetComputeInstanceRemainingCapacity = 346,
    F_nvmlGpuInstanceGetComputeInstances = 347,
    F_nvmlGpuInstanceGetCreatableVgpus = 348,
    F_nvmlGpuInstanceGetInfo = 349,
    F_nvmlGpuInstanceGetVgpuHeterogeneousMode = 350,
    F_nvmlGpuInstanceGetVgpuSchedulerLog = 351,
    F_nvmlGpuInstanceGetVgpuSchedulerLog_v2 = 352,
    F_nvmlGpuInstanceGetVgpuSchedulerState = 353,
    F_nvmlGpuInstanceGetVgpuSchedulerState_v2 = 354,
    F_nvmlGpuInstanceGetVgpuTypeCreatablePlacements = 355,
    F_nvmlGpuInstanceSetVgpuHeterogeneousMode = 356,
    F_nvmlGpuInstanceSetVgpuSchedulerState = 357,
    F_nvmlGpuInstanceSetVgpuSchedulerState_v2 = 358,
    F_nvmlInit = 359,
    F_nvmlInitWithFlags = 360,
    F_nvmlInit_v2 = 361,
    F_nvmlInternalGetExportTable = 362,
    F_nvmlSetVgpuVersion = 363,
    F_nvmlShutdown = 364,
    F_nvmlSystemEventSetCreate = 365,
    F_nvmlSystemEventSetFree = 366,
    F_nvmlSystemEventSetWait = 367,
    F_nvmlSystemGetCPER_v1 = 368,
    F_nvmlSystemGetConfComputeCapabilities = 369,
    F_nvmlSystemGetConfComputeGpusReadyState = 370,
    F_nvmlSystemGetConfComputeKeyRotationThresholdInfo = 371,
    F_nvmlSystemGetConfComputeSettings = 372,
    F_nvmlSystemGetConfComputeSettings_v2 = 373,
    F_nvmlSystemGetConfComputeState = 374,
    F_nvmlSystemGetCudaDriverVersion = 375,
    F_nvmlSystemGetCudaDriverVersion_v2 = 376,
    F_nvmlSystemGetDriverBranch = 377,
    F_nvmlSystemGetDriverVersion = 378,
    F_nvmlSystemGetHicVersion = 379,
    F_nvmlSystemGetNVMLVersion = 380,
    F_nvmlSystemGetNvlinkBwMode = 381,
    F_nvmlSystemGetProcessName = 382,
    F_nvmlSystemGetTopologyGpuSet = 383,
    F_nvmlSystemRegisterEvents = 384,
    F_nvmlSystemSetConfComputeGpusReadyState = 385,
    F_nvmlSystemSetConfComputeKeyRotationThresholdInfo = 386,
    F_nvmlSystemSetNvlinkBwMode = 387,
    F_nvmlUnitGetCount = 388,
    F_nvmlUnitGetDevices = 389,
    F_nvmlUnitGetFanSpeedInfo = 390,
    F_nvmlUnitGetHandleByIndex = 391,
    F_nvmlUnitGetLedState = 392,
    F_nvmlUnitGetPsuInfo = 393,
    F_nvmlUnitGetTemperature = 394,
    F_nvmlUnitGetUnitInfo = 395,
    F_nvmlUnitSetLedState = 396,
    F_nvmlVgpuInstanceClearAccountingPids = 397,
    F_nvmlVgpuInstanceGetAccountingMode = 398,
    F_nvmlVgpuInstanceGetAccountingPids = 399,
    F_nvmlVgpuInstanceGetAccountingStats = 400,
    F_nvmlVgpuInstanceGetEccMode = 401,
    F_nvmlVgpuInstanceGetEncoderCapacity = 402,
    F_nvmlVgpuInstanceGetEncoderSessions = 403,
    F_nvmlVgpuInstanceGetEncoderStats = 404,
    F_nvmlVgpuInstanceGetFBCSessions = 405,
    F_nvmlVgpuInstanceGetFBCStats = 406,
    F_nvmlVgpuInstanceGetFbUsage = 407,
    F_nvmlVgpuInstanceGetFrameRateLimit = 408,
    F_nvmlVgpuInstanceGetGpuInstanceId = 409,
    F_nvmlVgpuInstanceGetGpuPciId = 410,
    F_nvmlVgpuInstanceGetLicenseInfo = 411,
    F_nvmlVgpuInstanceGetLicenseInfo_v2 = 412,
    F_nvmlVgpuInstanceGetLicenseStatus = 413,
    F_nvmlVgpuInstanceGetMdevUUID = 414,
    F_nvmlVgpuInstanceGetMetadata = 415,
    F_nvmlVgpuInstanceGetPlacementId = 416,
    F_nvmlVgpuInstanceGetRuntimeStateSize = 417,
    F_nvmlVgpuInstanceGetType = 418,
    F_nvmlVgpuInstanceGetUUID = 419,
    F_nvmlVgpuInstanceGetVmDriverVersion = 420,
    F_nvmlVgpuInstanceGetVmID = 421,
    F_nvmlVgpuInstanceSetEncoderCapacity = 422,
    F_nvmlVgpuTypeGetBAR1Info = 423,
    F_nvmlVgpuTypeGetCapabilities = 424,
    F_nvmlVgpuTypeGetClass = 425,
    F_nvmlVgpuTypeGetDeviceID = 426,
    F_nvmlVgpuTypeGetFbReservation = 427,
    F_nvmlVgpuTypeGetFrameRateLimit = 428,
    F_nvmlVgpuTypeGetFramebufferSize = 429,
    F_nvmlVgpuTypeGetGpuInstanceProfileId = 430,
    F_nvmlVgpuTypeGetGspHeapSize = 431,
    F_nvmlVgpuTypeGetLicense = 432,
    F_nvmlVgpuTypeGetMaxInstances = 433,
    F_nvmlVgpuTypeGetMaxInstancesPerGpuInstance = 434,
    F_nvmlVgpuTypeGetMaxInstancesPerVm = 435,
    F_nvmlVgpuTypeGetName = 436,
    F_nvmlVgpuTypeGetNumDisplayHeads = 437,
    F_nvmlVgpuTypeGetResolution = 438,
    FUNCTIONS = 439
};

/* The oldest driver major that has each, by number. */
#define VGM_SINCE \
    [0] = 470, \
    [1] = 470, \
    [2] = 470, \
    [3] = 390, \
    [4] = 390, \
    [5] = 390, \
    [6] = 535, \
    [7] = 470, \
    [8] = 470, \
    [9] = 390, \
    [10] = 390, \
    [11] = 390, \
    [12] = 390, \
    [13] = 390, \
    [14] = 390, \
    [15] = 390, \
    [16] = 580, \
    [17] = 390, \
    [18] = 535, \
    [19] = 580, \
    [20] = 580, \
    [21] = 390, \
    [22] = 470, \
    [23] = 470, \
    [24] = 470, \
    [25] = 390, \
    [26] = 390, \
    [27] = 580, \
    [28] = 580, \
    [29] = 390, \
    [30] = 390, \
    [31] = 390, \
    [32] = 390, \
    [33] = 535, \
    [34] = 570, \
    [35] = 570, \
    [36] = 470, \
    [37] = 390, \
    [38] = 390, \
    [39] = 570, \
    [40] = 470, \
    [41] = 390, \
    [42] = 390, \
    [43] = 470, \
    [44] = 535, \
    [45] = 535, \
    [46] = 535, \
    [47] = 535, \
    [48] = 535, \
    [49] = 570, \
    [50] = 390, \
    [51] = 390, \
    [52] = 390, \
    [53] = 470, \
    [54] = 390, \
    [55] = 390, \
    [56] = 390, \
    [57] = 390, \
    [58] = 570, \
    [59] = 535, \
    [60] = 390, \
    [61] = 390, \
    [62] = 390, \
    [63] = 535, \
    [64] = 390, \
    [65] = 470, \
    [66] = 390, \
    [67] = 390, \
    [68] = 570, \
    [69] = 390, \
    [70] = 570, \
    [71] = 535, \
    [72] = 390, \
    [73] = 390, \
    [74] = 390, \
    [75] = 390, \
    [76] = 390, \
    [77] = 390, \
    [78] = 470, \
    [79] = 470, \
    [80] = 535, \
    [81] = 390, \
    [82] = 570, \
    [83] = 470, \
    [84] = 390, \
    [85] = 535, \
    [86] = 535, \
    [87] = 535, \
    [88] = 570, \
    [89] = 580, \
    [90] = 470, \
    [91] = 470, \
    [92] = 470, \
    [93] = 470, \
    [94] = 470, \
    [95] = 580, \
    [96] = 535, \
    [97] = 470, \
    [98] = 470, \
    [99] = 535, \
    [100] = 390, \
    [101] = 580, \
    [102] = 390, \
    [103] = 470, \
    [104] = 535, \
    [105] = 390, \
    [106] = 470, \
    [107] = 470, \
    [108] = 470, \
    [109] = 535, \
    [110] = 535, \
    [111] = 390, \
    [112] = 390, \
    [113] = 390, \
    [114] = 390, \
    [115] = 390, \
    [116] = 390, \
    [117] = 580, \
    [118] = 470, \
    [119] = 580, \
    [120] = 390, \
    [121] = 390, \
    [122] = 390, \
    [123] = 390, \
    [124] = 535, \
    [125] = 535, \
    [126] = 535, \
    [127] = 390, \
    [128] = 470, \
    [129] = 535, \
    [130] = 570, \
    [131] = 390, \
    [132] = 390, \
    [133] = 470, \
    [134] = 390, \
    [135] = 390, \
    [136] = 535, \
    [137] = 535, \
    [138] = 470, \
    [139] = 535, \
    [140] = 390, \
    [141] = 390, \
    [142] = 535, \
    [143] = 580, \
    [144] = 470, \
    [145] = 470, \
    [146] = 535, \
    [147] = 535, \
    [148] = 390, \
    [149] = 535, \
    [150] = 390, \
    [151] = 390, \
    [152] = 535, \
    [153] = 535, \
    [154] = 570, \
    [155] = 390, \
    [156] = 390, \
    [157] = 580, \
    [158] = 580, \
    [159] = 470, \
    [160] = 390, \
    [161] = 390, \
    [162] = 390, \
    [163] = 580, \
    [164] = 390, \
    [165] = 390, \
    [166] = 390, \
    [167] = 570, \
    [168] = 580, \
    [169] = 580, \
    [170] = 570, \
    [171] = 535, \
    [172] = 390, \
    [173] = 390, \
    [174] = 570, \
    [175] = 390, \
    [176] = 390, \
    [177] = 535, \
    [178] = 390, \
    [179] = 535, \
    [180] = 390, \
    [181] = 580, \
    [182] = 570, \
    [183] = 390, \
    [184] = 390, \
    [185] = 470, \
    [186] = 570, \
    [187] = 390, \
    [188] = 390, \
    [189] = 390, \
    [190] = 390, \
    [191] = 580, \
    [192] = 535, \
    [193] = 390, \
    [194] = 390, \
    [195] = 390, \
    [196] = 570, \
    [197] = 470, \
    [198] = 580, \
    [199] = 580, \
    [200] = 390, \
    [201] = 390, \
    [202] = 470, \
    [203] = 470, \
    [204] = 535, \
    [205] = 390, \
    [206] = 390, \
    [207] = 535, \
    [208] = 580, \
    [209] = 535, \
    [210] = 390, \
    [211] = 390, \
    [212] = 390, \
    [213] = 390, \
    [214] = 535, \
    [215] = 390, \
    [216] = 535, \
    [217] = 390, \
    [218] = 390, \
    [219] = 570, \
    [220] = 535, \
    [221] = 390, \
    [222] = 390, \
    [223] = 390, \
    [224] = 390, \
    [225] = 390, \
    [226] = 580, \
    [227] = 390, \
    [228] = 390, \
    [229] = 535, \
    [230] = 570, \
    [231] = 570, \
    [232] = 390, \
    [233] = 390, \
    [234] = 570, \
    [235] = 535, \
    [236] = 535, \
    [237] = 580, \
    [238] = 535, \
    [239] = 580, \
    [240] = 570, \
    [241] = 570, \
    [242] = 390, \
    [243] = 390, \
    [244] = 390, \
    [245] = 470, \
    [246] = 580, \
    [247] = 390, \
    [248] = 390, \
    [249] = 580, \
    [250] = 570, \
    [251] = 570, \
    [252] = 570, \
    [253] = 390, \
    [254] = 580, \
    [255] = 580, \
    [256] = 390, \
    [257] = 390, \
    [258] = 470, \
    [259] = 390, \
    [260] = 470, \
    [261] = 470, \
    [262] = 390, \
    [263] = 390, \
    [264] = 390, \
    [265] = 390, \
    [266] = 580, \
    [267] = 390, \
    [268] = 390, \
    [269] = 570, \
    [270] = 390, \
    [271] = 535, \
    [272] = 390, \
    [273] = 390, \
    [274] = 535, \
    [275] = 570, \
    [276] = 390, \
    [277] = 390, \
    [278] = 535, \
    [279] = 535, \
    [280] = 535, \
    [281] = 470, \
    [282] = 390, \
    [283] = 580, \
    [284] = 535, \
    [285] = 580, \
    [286] = 470, \
    [287] = 470, \
    [288] = 535, \
    [289] = 390, \
    [290] = 570, \
    [291] = 580, \
    [292] = 580, \
    [293] = 390, \
    [294] = 390, \
    [295] = 535, \
    [296] = 580, \
    [297] = 580, \
    [298] = 470, \
    [299] = 570, \
    [300] = 570, \
    [301] = 535, \
    [302] = 580, \
    [303] = 390, \
    [304] = 580, \
    [305] = 390, \
    [306] = 580, \
    [307] = 570, \
    [308] = 570, \
    [309] = 570, \
    [310] = 570, \
    [311] = 580, \
    [312] = 390, \
    [313] = 390, \
    [314] = 390, \
    [315] = 580, \
    [316] = 580, \
    [317] = 580, \
    [318] = 580, \
    [319] = 580, \
    [320] = 390, \
    [321] = 470, \
    [322] = 580, \
    [323] = 470, \
    [324] = 470, \
    [325] = 470, \
    [326] = 470, \
    [327] = 390, \
    [328] = 535, \
    [329] = 470, \
    [330] = 535, \
    [331] = 535, \
    [332] = 535, \
    [333] = 535, \
    [334] = 535, \
    [335] = 535, \
    [336] = 535, \
    [337] = 535, \
    [338] = 470, \
    [339] = 535, \
    [340] = 470, \
    [341] = 580, \
    [342] = 470, \
    [343] = 535, \
    [344] = 470, \
    [345] = 535, \
    [346] = 470, \
    [347] = 470, \
    [348] = 580, \
    [349] = 470, \
    [350] = 580, \
    [351] = 580, \
    [352] = 580, \
    [353] = 580, \
    [354] = 580, \
    [355] = 580, \
    [356] = 580, \
    [357] = 580, \
    [358] = 580, \
    [359] = 390, \
    [360] = 390, \
    [361] = 390, \
    [362] = 390, \
    [363] = 470, \
    [364] = 390, \
    [365] = 580, \
    [366] = 580, \
    [367] = 580, \
    [368] = 580, \
    [369] = 535, \
    [370] = 535, \
    [371] = 570, \
    [372] = 570, \
    [373] = 580, \
    [374] = 535, \
    [375] = 390, \
    [376] = 470, \
    [377] = 570, \
    [378] = 390, \
    [379] = 390, \
    [380] = 390, \
    [381] = 535, \
    [382] = 390, \
    [383] = 390, \
    [384] = 580, \
    [385] = 535, \
    [386] = 570, \
    [387] = 535, \
    [388] = 390, \
    [389] = 390, \
    [390] = 390, \
    [391] = 390, \
    [392] = 390, \
    [393] = 390, \
    [394] = 390, \
    [395] = 390, \
    [396] = 390, \
    [397] = 470, \
    [398] = 390, \
    [399] = 390, \
    [400] = 390, \
    [401] = 470, \
    [402] = 390, \
    [403] = 390, \
    [404] = 390, \
    [405] = 470, \
    [406] = 470, \
    [407] = 390, \
    [408] = 390, \
    [409] = 470, \
    [410] = 535, \
    [411] = 535, \
    [412] = 535, \
    [413] = 390, \
    [414] = 470, \
    [415] = 390, \
    [416] = 570, \
    [417] = 570, \
    [418] = 390, \
    [419] = 390, \
    [420] = 390, \
    [421] = 390, \
    [422] = 390, \
    [423] = 570, \
    [424] = 535, \
    [425] = 390, \
    [426] = 390, \
    [427] = 570, \
    [428] = 390, \
    [429] = 390, \
    [430] = 470, \
    [431] = 570, \
    [432] = 390, \
    [433] = 390, \
    [434] = 580, \
    [435] = 470, \
    [436] = 390, \
    [437] = 390, \
    [438] = 390,

/* Those that only answer NOT_SUPPORTED. */
#define VGM_NOT_SUPPORTED(X) \
    X(nvmlComputeInstanceDestroy) \
    X(nvmlComputeInstanceGetInfo) \
    X(nvmlComputeInstanceGetInfo_v2) \
    X(nvmlDeviceClearAccountingPids) \
    X(nvmlDeviceClearCpuAffinity) \
    X(nvmlDeviceClearEccErrorCounts) \
    X(nvmlDeviceClearFieldValues) \
    X(nvmlDeviceCreateGpuInstance) \
    X(nvmlDeviceCreateGpuInstanceWithPlacement) \
    X(nvmlDeviceDiscoverGpus) \
    X(nvmlDeviceFreezeNvLinkUtilizationCounter) \
    X(nvmlDeviceGetAPIRestriction) \
    X(nvmlDeviceGetAccountingBufferSize) \
    X(nvmlDeviceGetAccountingMode) \
    X(nvmlDeviceGetAccountingPids) \
    X(nvmlDeviceGetAccountingStats) \
    X(nvmlDeviceGetAccountingStats_v2) \
    X(nvmlDeviceGetAdaptiveClockInfoStatus) \
    X(nvmlDeviceGetAdaptiveTgpModeInfo_v1) \
    X(nvmlDeviceGetAddressingMode) \
    X(nvmlDeviceGetApplicationsClock) \
    X(nvmlDeviceGetAttributes) \
    X(nvmlDeviceGetAttributes_v2) \
    X(nvmlDeviceGetAutoBoostedClocksEnabled) \
    X(nvmlDeviceGetBBXTimeData_v1) \
    X(nvmlDeviceGetBankRemapperStatus_v1) \
    X(nvmlDeviceGetBoardId) \
    X(nvmlDeviceGetBoardPartNumber) \
    X(nvmlDeviceGetBridgeChipInfo) \
    X(nvmlDeviceGetBusType) \
    X(nvmlDeviceGetC2cModeInfoV) \
    X(nvmlDeviceGetCapabilities) \
    X(nvmlDeviceGetClkMonStatus) \
    X(nvmlDeviceGetClock) \
    X(nvmlDeviceGetClockInfo) \
    X(nvmlDeviceGetClockOffsets) \
    X(nvmlDeviceGetComputeInstanceId) \
    X(nvmlDeviceGetConfComputeGpuAttestationReport) \
    X(nvmlDeviceGetConfComputeGpuCertificate) \
    X(nvmlDeviceGetConfComputeMemSizeInfo) \
    X(nvmlDeviceGetConfComputeProtectedMemoryUsage) \
    X(nvmlDeviceGetCoolerInfo) \
    X(nvmlDeviceGetCpuAffinity) \
    X(nvmlDeviceGetCpuAffinityWithinScope) \
    X(nvmlDeviceGetCurrPcieLinkGeneration) \
    X(nvmlDeviceGetCurrPcieLinkWidth) \
    X(nvmlDeviceGetCurrentClockFreqs) \
    X(nvmlDeviceGetCurrentClocksEventReasons) \
    X(nvmlDeviceGetCurrentClocksThrottleReasons) \
    X(nvmlDeviceGetDefaultApplicationsClock) \
    X(nvmlDeviceGetDetailedEccErrors) \
    X(nvmlDeviceGetDeviceHandleFromMigDeviceHandle) \
    X(nvmlDeviceGetDramEncryptionMode) \
    X(nvmlDeviceGetDriverModel) \
    X(nvmlDeviceGetDriverModel_v2) \
    X(nvmlDeviceGetDynamicPstatesInfo) \
    X(nvmlDeviceGetEncoderCapacity) \
    X(nvmlDeviceGetEncoderSessions) \
    X(nvmlDeviceGetEncoderStats) \
    X(nvmlDeviceGetFBCSessions) \
    X(nvmlDeviceGetFBCStats) \
    X(nvmlDeviceGetFanControlPolicy_v2) \
    X(nvmlDeviceGetFanSpeedRPM) \
    X(nvmlDeviceGetFieldValues) \
    X(nvmlDeviceGetGpcClkMinMaxVfOffset) \
    X(nvmlDeviceGetGpcClkVfOffset) \
    X(nvmlDeviceGetGpuFabricInfo) \
    X(nvmlDeviceGetGpuFabricInfoV) \
    X(nvmlDeviceGetGpuFabricInfo_v4) \
    X(nvmlDeviceGetGpuInstanceById) \
    X(nvmlDeviceGetGpuInstanceId) \
    X(nvmlDeviceGetGpuInstancePossiblePlacements) \
    X(nvmlDeviceGetGpuInstancePossiblePlacements_v2) \
    X(nvmlDeviceGetGpuInstanceProfileInfo) \
    X(nvmlDeviceGetGpuInstanceProfileInfoByIdV) \
    X(nvmlDeviceGetGpuInstanceProfileInfoV) \
    X(nvmlDeviceGetGpuInstanceRemainingCapacity) \
    X(nvmlDeviceGetGpuInstances) \
    X(nvmlDeviceGetGpuMaxPcieLinkGeneration) \
    X(nvmlDeviceGetGpuOperationMode) \
    X(nvmlDeviceGetGpuUptime_v1) \
    X(nvmlDeviceGetGridLicensableFeatures) \
    X(nvmlDeviceGetGridLicensableFeatures_v2) \
    X(nvmlDeviceGetGridLicensableFeatures_v3) \
    X(nvmlDeviceGetGridLicensableFeatures_v4) \
    X(nvmlDeviceGetGspFirmwareMode) \
    X(nvmlDeviceGetGspFirmwareVersion) \
    X(nvmlDeviceGetHandleBySerial) \
    X(nvmlDeviceGetHostname_v1) \
    X(nvmlDeviceGetInforomConfigurationChecksum) \
    X(nvmlDeviceGetInforomImageVersion) \
    X(nvmlDeviceGetInforomVersion) \
    X(nvmlDeviceGetIrqNum) \
    X(nvmlDeviceGetJpgUtilization) \
    X(nvmlDeviceGetLastBBXFlushTime) \
    X(nvmlDeviceGetMarginTemperature) \
    X(nvmlDeviceGetMaxClockInfo) \
    X(nvmlDeviceGetMaxCustomerBoostClock) \
    X(nvmlDeviceGetMaxPcieLinkGeneration) \
    X(nvmlDeviceGetMaxPcieLinkWidth) \
    X(nvmlDeviceGetMemClkMinMaxVfOffset) \
    X(nvmlDeviceGetMemClkVfOffset) \
    X(nvmlDeviceGetMemoryAffinity) \
    X(nvmlDeviceGetMemoryBusWidth) \
    X(nvmlDeviceGetMemoryErrorCounter) \
    X(nvmlDeviceGetMemoryLimits_v1) \
    X(nvmlDeviceGetMigDeviceHandleByIndex) \
    X(nvmlDeviceGetMinMaxClockOfPState) \
    X(nvmlDeviceGetMinMaxFanSpeed) \
    X(nvmlDeviceGetModuleId) \
    X(nvmlDeviceGetMultiGpuBoard) \
    X(nvmlDeviceGetNumGpuCores) \
    X(nvmlDeviceGetNumaNodeId) \
    X(nvmlDeviceGetNvLinkCapability) \
    X(nvmlDeviceGetNvLinkErrorCounter) \
    X(nvmlDeviceGetNvLinkInfo) \
    X(nvmlDeviceGetNvLinkInfo_v3) \
    X(nvmlDeviceGetNvLinkRemoteDeviceType) \
    X(nvmlDeviceGetNvLinkRemotePciInfo) \
    X(nvmlDeviceGetNvLinkRemotePciInfo_v2) \
    X(nvmlDeviceGetNvLinkState) \
    X(nvmlDeviceGetNvLinkTelemetrySamples_v1) \
    X(nvmlDeviceGetNvLinkUtilizationControl) \
    X(nvmlDeviceGetNvLinkUtilizationCounter) \
    X(nvmlDeviceGetNvLinkVersion) \
    X(nvmlDeviceGetNvlinkBwMode) \
    X(nvmlDeviceGetNvlinkNvlePrivateInfo_v1) \
    X(nvmlDeviceGetNvlinkRemapTableInfo_v1) \
    X(nvmlDeviceGetNvlinkSupportedBwModes) \
    X(nvmlDeviceGetOfaUtilization) \
    X(nvmlDeviceGetP2PStatus) \
    X(nvmlDeviceGetPcieLinkMaxSpeed) \
    X(nvmlDeviceGetPcieReplayCounter) \
    X(nvmlDeviceGetPcieSpeed) \
    X(nvmlDeviceGetPcieThroughput) \
    X(nvmlDeviceGetPdi) \
    X(nvmlDeviceGetPerformanceModes) \
    X(nvmlDeviceGetPlatformInfo) \
    X(nvmlDeviceGetPowerManagementLimitConstraints) \
    X(nvmlDeviceGetPowerMizerMode_v1) \
    X(nvmlDeviceGetPowerSource) \
    X(nvmlDeviceGetProcessUtilization) \
    X(nvmlDeviceGetProcessesUtilizationInfo) \
    X(nvmlDeviceGetRemappedRows) \
    X(nvmlDeviceGetRemappedRows_v2) \
    X(nvmlDeviceGetRepairStatus) \
    X(nvmlDeviceGetRetiredPages) \
    X(nvmlDeviceGetRetiredPagesPendingStatus) \
    X(nvmlDeviceGetRetiredPages_v2) \
    X(nvmlDeviceGetRowRemapperHistogram) \
    X(nvmlDeviceGetRunningProcessDetailList) \
    X(nvmlDeviceGetSamples) \
    X(nvmlDeviceGetSerial) \
    X(nvmlDeviceGetSramEccErrorStatus) \
    X(nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts) \
    X(nvmlDeviceGetSupportedClocksEventReasons) \
    X(nvmlDeviceGetSupportedClocksThrottleReasons) \
    X(nvmlDeviceGetSupportedEventTypes) \
    X(nvmlDeviceGetSupportedGraphicsClocks) \
    X(nvmlDeviceGetSupportedMemoryClocks) \
    X(nvmlDeviceGetSupportedPerformanceStates) \
    X(nvmlDeviceGetTargetFanSpeed) \
    X(nvmlDeviceGetTemperatureThreshold) \
    X(nvmlDeviceGetThermalSettings) \
    X(nvmlDeviceGetTopologyCommonAncestor) \
    X(nvmlDeviceGetTopologyNearestGpus) \
    X(nvmlDeviceGetTotalEnergyConsumption) \
    X(nvmlDeviceGetUnrepairableMemoryFlag_v1) \
    X(nvmlDeviceGetVbiosVersion) \
    X(nvmlDeviceGetVgpuProcessUtilization) \
    X(nvmlDeviceGetVgpuProcessesUtilizationInfo) \
    X(nvmlDeviceGetVgpuSchedulerCapabilities) \
    X(nvmlDeviceGetVgpuSchedulerLog) \
    X(nvmlDeviceGetVgpuSchedulerLog_v2) \
    X(nvmlDeviceGetVgpuSchedulerState) \
    X(nvmlDeviceGetVgpuSchedulerState_v2) \
    X(nvmlDeviceGetViolationStatus) \
    X(nvmlDeviceLockNvlinkRemapTable_v1) \
    X(nvmlDeviceModifyDrainState) \
    X(nvmlDeviceOnSameBoard) \
    X(nvmlDevicePerfMetricsGetSamples_v1) \
    X(nvmlDevicePowerSmoothingActivatePresetProfile) \
    X(nvmlDevicePowerSmoothingSetState) \
    X(nvmlDevicePowerSmoothingUpdatePresetProfileParam) \
    X(nvmlDeviceQueryDrainState) \
    X(nvmlDeviceReadPRMCounters_v1) \
    X(nvmlDeviceReadWritePRM_v1) \
    X(nvmlDeviceRegisterEvents) \
    X(nvmlDeviceRemoveGpu) \
    X(nvmlDeviceRemoveGpu_v2) \
    X(nvmlDeviceResetApplicationsClocks) \
    X(nvmlDeviceResetGpuLockedClocks) \
    X(nvmlDeviceResetMemoryLockedClocks) \
    X(nvmlDeviceResetNvLinkErrorCounters) \
    X(nvmlDeviceResetNvLinkUtilizationCounter) \
    X(nvmlDeviceSetAPIRestriction) \
    X(nvmlDeviceSetAccountingMode) \
    X(nvmlDeviceSetAdaptiveTgpMode_v1) \
    X(nvmlDeviceSetApplicationsClocks) \
    X(nvmlDeviceSetAutoBoostedClocksEnabled) \
    X(nvmlDeviceSetClockOffsets) \
    X(nvmlDeviceSetComputeMode) \
    X(nvmlDeviceSetConfComputeUnprotectedMemSize) \
    X(nvmlDeviceSetCpuAffinity) \
    X(nvmlDeviceSetDefaultAutoBoostedClocksEnabled) \
    X(nvmlDeviceSetDefaultFanSpeed_v2) \
    X(nvmlDeviceSetDramEncryptionMode) \
    X(nvmlDeviceSetDriverModel) \
    X(nvmlDeviceSetEccMode) \
    X(nvmlDeviceSetFanControlPolicy) \
    X(nvmlDeviceSetFanSpeed_v2) \
    X(nvmlDeviceSetGpcClkVfOffset) \
    X(nvmlDeviceSetGpuLockedClocks) \
    X(nvmlDeviceSetGpuOperationMode) \
    X(nvmlDeviceSetHostname_v1) \
    X(nvmlDeviceSetMemClkVfOffset) \
    X(nvmlDeviceSetMemoryLimits_v1) \
    X(nvmlDeviceSetMemoryLockedClocks) \
    X(nvmlDeviceSetMigMode) \
    X(nvmlDeviceSetNvLinkDeviceLowPowerThreshold) \
    X(nvmlDeviceSetNvLinkUtilizationControl) \
    X(nvmlDeviceSetNvlinkBwMode) \
    X(nvmlDeviceSetNvlinkBwModeAsync_v1) \
    X(nvmlDeviceSetNvlinkNvleReady_v1) \
    X(nvmlDeviceSetPowerManagementLimit) \
    X(nvmlDeviceSetPowerManagementLimit_v2) \
    X(nvmlDeviceSetPowerMizerMode_v1) \
    X(nvmlDeviceSetRusdSettings_v1) \
    X(nvmlDeviceSetTemperatureThreshold) \
    X(nvmlDeviceSetVgpuSchedulerState) \
    X(nvmlDeviceSetVgpuSchedulerState_v2) \
    X(nvmlDeviceSetupNvlinkNvleEncryptionKey_v1) \
    X(nvmlDeviceValidateInforom) \
    X(nvmlDeviceVgpuForceGspUnload) \
    X(nvmlDeviceWorkloadPowerProfileClearRequestedProfiles) \
    X(nvmlDeviceWorkloadPowerProfileGetCurrentProfiles) \
    X(nvmlDeviceWorkloadPowerProfileGetProfilesInfo) \
    X(nvmlDeviceWorkloadPowerProfileSetRequestedProfiles) \
    X(nvmlDeviceWorkloadPowerProfileUpdateProfiles_v1) \
    X(nvmlEventSetCreate) \
    X(nvmlEventSetFree) \
    X(nvmlEventSetGetContextCount_v1) \
    X(nvmlEventSetGetContextData_v1) \
    X(nvmlEventSetGetContextInfo_v1) \
    X(nvmlEventSetGetGpuOperationalEventContextLegacyXid_v1) \
    X(nvmlEventSetRegisterGpuOperationalEvents_v1) \
    X(nvmlEventSetWait) \
    X(nvmlEventSetWait_v2) \
    X(nvmlEventSetWait_v3) \
    X(nvmlGetBlacklistDeviceCount) \
    X(nvmlGetBlacklistDeviceInfoByIndex) \
    X(nvmlGetExcludedDeviceCount) \
    X(nvmlGetExcludedDeviceInfoByIndex) \
    X(nvmlGpmMetricsGet) \
    X(nvmlGpmMigSampleGet) \
    X(nvmlGpmQueryDeviceSupport) \
    X(nvmlGpmQueryIfStreamingEnabled) \
    X(nvmlGpmSampleAlloc) \
    X(nvmlGpmSampleFree) \
    X(nvmlGpmSampleGet) \
    X(nvmlGpmSetStreamingEnabled) \
    X(nvmlGpuInstanceCreateComputeInstance) \
    X(nvmlGpuInstanceCreateComputeInstanceWithPlacement) \
    X(nvmlGpuInstanceDestroy) \
    X(nvmlGpuInstanceGetActiveVgpus) \
    X(nvmlGpuInstanceGetComputeInstanceById) \
    X(nvmlGpuInstanceGetComputeInstancePossiblePlacements) \
    X(nvmlGpuInstanceGetComputeInstanceProfileInfo) \
    X(nvmlGpuInstanceGetComputeInstanceProfileInfoV) \
    X(nvmlGpuInstanceGetComputeInstanceRemainingCapacity) \
    X(nvmlGpuInstanceGetComputeInstances) \
    X(nvmlGpuInstanceGetCreatableVgpus) \
    X(nvmlGpuInstanceGetInfo) \
    X(nvmlGpuInstanceGetVgpuHeterogeneousMode) \
    X(nvmlGpuInstanceGetVgpuSchedulerLog) \
    X(nvmlGpuInstanceGetVgpuSchedulerLog_v2) \
    X(nvmlGpuInstanceGetVgpuSchedulerState) \
    X(nvmlGpuInstanceGetVgpuSchedulerState_v2) \
    X(nvmlGpuInstanceGetVgpuTypeCreatablePlacements) \
    X(nvmlGpuInstanceSetVgpuHeterogeneousMode) \
    X(nvmlGpuInstanceSetVgpuSchedulerState) \
    X(nvmlGpuInstanceSetVgpuSchedulerState_v2) \
    X(nvmlInternalGetExportTable) \
    X(nvmlSystemEventSetCreate) \
    X(nvmlSystemEventSetFree) \
    X(nvmlSystemEventSetWait) \
    X(nvmlSystemGetCPER_v1) \
    X(nvmlSystemGetConfComputeCapabilities) \
    X(nvmlSystemGetConfComputeGpusReadyState) \
    X(nvmlSystemGetConfComputeKeyRotationThresholdInfo) \
    X(nvmlSystemGetConfComputeSettings) \
    X(nvmlSystemGetConfComputeSettings_v2) \
    X(nvmlSystemGetConfComputeState) \
    X(nvmlSystemGetHicVersion) \
    X(nvmlSystemGetNvlinkBwMode) \
    X(nvmlSystemGetProcessName) \
    X(nvmlSystemGetTopologyGpuSet) \
    X(nvmlSystemRegisterEvents) \
    X(nvmlSystemSetConfComputeGpusReadyState) \
    X(nvmlSystemSetConfComputeKeyRotationThresholdInfo) \
    X(nvmlSystemSetNvlinkBwMode) \
    X(nvmlUnitGetCount) \
    X(nvmlUnitGetDevices) \
    X(nvmlUnitGetFanSpeedInfo) \
    X(nvmlUnitGetHandleByIndex) \
    X(nvmlUnitGetLedState) \
    X(nvmlUnitGetPsuInfo) \
    X(nvmlUnitGetTemperature) \
    X(nvmlUnitGetUnitInfo) \
    X(nvmlUnitSetLedState) \
    X(nvmlVgpuInstanceClearAccountingPids) \
    X(nvmlVgpuInstanceGetAccountingMode) \
    X(nvmlVgpuInstanceGetAccountingPids) \
    X(nvmlVgpuInstanceGetAccountingStats) \
    X(nvmlVgpuInstanceGetEncoderCapacity) \
    X(nvmlVgpuInstanceGetEncoderSessions) \
    X(nvmlVgpuInstanceGetEncoderStats) \
    X(nvmlVgpuInstanceGetFBCSessions) \
    X(nvmlVgpuInstanceGetFBCStats) \
    X(nvmlVgpuInstanceSetEncoderCapacity)

#endif
