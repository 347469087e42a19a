/* Every NVML function and the shape of its arguments. Made by tools/make_fuzz_calls.py.

   d device, i vgpu instance, t vgpu type, w word, q two words, h opaque handle; s text;
   pN pointer to N bytes; c text buffer, its size the next argument;
   n pointer to a count, of the N-byte elements aN that the next argument points to;
   bN buffer, its size in bytes where the next argument, z, points to. */
#define FUZZ_CALLS(X) \
    X(nvmlComputeInstanceDestroy, "h") \
    X(nvmlComputeInstanceGetInfo, "h p32") \
    X(nvmlComputeInstanceGetInfo_v2, "h p32") \
    X(nvmlDeviceClearAccountingPids, "d") \
    X(nvmlDeviceClearCpuAffinity, "d") \
    X(nvmlDeviceClearEccErrorCounts, "d w") \
    X(nvmlDeviceClearFieldValues, "d w p40") \
    X(nvmlDeviceCreateGpuInstance, "d w p8") \
    X(nvmlDeviceCreateGpuInstanceWithPlacement, "d w p8 p8") \
    X(nvmlDeviceDiscoverGpus, "p68") \
    X(nvmlDeviceFreezeNvLinkUtilizationCounter, "d w w w") \
    X(nvmlDeviceGetAPIRestriction, "d w p4") \
    X(nvmlDeviceGetAccountingBufferSize, "d p4") \
    X(nvmlDeviceGetAccountingMode, "d p4") \
    X(nvmlDeviceGetAccountingPids, "d n a4") \
    X(nvmlDeviceGetAccountingStats, "d w p56") \
    X(nvmlDeviceGetAccountingStats_v2, "d p64") \
    X(nvmlDeviceGetActiveVgpus, "d n a4") \
    X(nvmlDeviceGetAdaptiveClockInfoStatus, "d p4") \
    X(nvmlDeviceGetAdaptiveTgpModeInfo_v1, "d p20") \
    X(nvmlDeviceGetAddressingMode, "d p8") \
    X(nvmlDeviceGetApplicationsClock, "d w p4") \
    X(nvmlDeviceGetArchitecture, "d p4") \
    X(nvmlDeviceGetAttributes, "d p40") \
    X(nvmlDeviceGetAttributes_v2, "d p40") \
    X(nvmlDeviceGetAutoBoostedClocksEnabled, "d p4 p4") \
    X(nvmlDeviceGetBAR1MemoryInfo, "d p24") \
    X(nvmlDeviceGetBBXTimeData_v1, "d p4") \
    X(nvmlDeviceGetBankRemapperStatus_v1, "d p20") \
    X(nvmlDeviceGetBoardId, "d p4") \
    X(nvmlDeviceGetBoardPartNumber, "d c w") \
    X(nvmlDeviceGetBrand, "d p4") \
    X(nvmlDeviceGetBridgeChipInfo, "d p1028") \
    X(nvmlDeviceGetBusType, "d p4") \
    X(nvmlDeviceGetC2cModeInfoV, "d p4") \
    X(nvmlDeviceGetCapabilities, "d p8") \
    X(nvmlDeviceGetClkMonStatus, "d p264") \
    X(nvmlDeviceGetClock, "d w w p4") \
    X(nvmlDeviceGetClockInfo, "d w p4") \
    X(nvmlDeviceGetClockOffsets, "d p24") \
    X(nvmlDeviceGetComputeInstanceId, "d p4") \
    X(nvmlDeviceGetComputeMode, "d p4") \
    X(nvmlDeviceGetComputeRunningProcesses, "d n a16") \
    X(nvmlDeviceGetComputeRunningProcesses_v2, "d n a24") \
    X(nvmlDeviceGetComputeRunningProcesses_v3, "d n a24") \
    X(nvmlDeviceGetConfComputeGpuAttestationReport, "d p12332") \
    X(nvmlDeviceGetConfComputeGpuCertificate, "d p9224") \
    X(nvmlDeviceGetConfComputeMemSizeInfo, "d p16") \
    X(nvmlDeviceGetConfComputeProtectedMemoryUsage, "d p24") \
    X(nvmlDeviceGetCoolerInfo, "d p16") \
    X(nvmlDeviceGetCount, "p4") \
    X(nvmlDeviceGetCount_v2, "p4") \
    X(nvmlDeviceGetCpuAffinity, "d w p8") \
    X(nvmlDeviceGetCpuAffinityWithinScope, "d w p8 w") \
    X(nvmlDeviceGetCreatableVgpus, "d n a4") \
    X(nvmlDeviceGetCudaComputeCapability, "d p4 p4") \
    X(nvmlDeviceGetCurrPcieLinkGeneration, "d p4") \
    X(nvmlDeviceGetCurrPcieLinkWidth, "d p4") \
    X(nvmlDeviceGetCurrentClockFreqs, "d p2052") \
    X(nvmlDeviceGetCurrentClocksEventReasons, "d p8") \
    X(nvmlDeviceGetCurrentClocksThrottleReasons, "d p8") \
    X(nvmlDeviceGetDecoderUtilization, "d p4 p4") \
    X(nvmlDeviceGetDefaultApplicationsClock, "d w p4") \
    X(nvmlDeviceGetDefaultEccMode, "d p4") \
    X(nvmlDeviceGetDetailedEccErrors, "d w w p32") \
    X(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, "d p8") \
    X(nvmlDeviceGetDisplayActive, "d p4") \
    X(nvmlDeviceGetDisplayMode, "d p4") \
    X(nvmlDeviceGetDramEncryptionMode, "d p8 p8") \
    X(nvmlDeviceGetDriverModel, "d p4 p4") \
    X(nvmlDeviceGetDriverModel_v2, "d p4 p4") \
    X(nvmlDeviceGetDynamicPstatesInfo, "d p132") \
    X(nvmlDeviceGetEccMode, "d p4 p4") \
    X(nvmlDeviceGetEncoderCapacity, "d w p4") \
    X(nvmlDeviceGetEncoderSessions, "d n a32") \
    X(nvmlDeviceGetEncoderStats, "d p4 p4 p4") \
    X(nvmlDeviceGetEncoderUtilization, "d p4 p4") \
    X(nvmlDeviceGetEnforcedPowerLimit, "d p4") \
    X(nvmlDeviceGetFBCSessions, "d n a48") \
    X(nvmlDeviceGetFBCStats, "d p12") \
    X(nvmlDeviceGetFanControlPolicy_v2, "d w p4") \
    X(nvmlDeviceGetFanSpeed, "d p4") \
    X(nvmlDeviceGetFanSpeedRPM, "d p12") \
    X(nvmlDeviceGetFanSpeed_v2, "d w p4") \
    X(nvmlDeviceGetFieldValues, "d w p40") \
    X(nvmlDeviceGetGpcClkMinMaxVfOffset, "d p4 p4") \
    X(nvmlDeviceGetGpcClkVfOffset, "d p4") \
    X(nvmlDeviceGetGpuFabricInfo, "d p28") \
    X(nvmlDeviceGetGpuFabricInfoV, "d p40") \
    X(nvmlDeviceGetGpuFabricInfo_v4, "d p548") \
    X(nvmlDeviceGetGpuInstanceById, "d w p8") \
    X(nvmlDeviceGetGpuInstanceId, "d p4") \
    X(nvmlDeviceGetGpuInstancePossiblePlacements, "d w p8 p4") \
    X(nvmlDeviceGetGpuInstancePossiblePlacements_v2, "d w p8 p4") \
    X(nvmlDeviceGetGpuInstanceProfileInfo, "d w p48") \
    X(nvmlDeviceGetGpuInstanceProfileInfoByIdV, "d w p152") \
    X(nvmlDeviceGetGpuInstanceProfileInfoV, "d w p152") \
    X(nvmlDeviceGetGpuInstanceRemainingCapacity, "d w p4") \
    X(nvmlDeviceGetGpuInstances, "d w p8 p4") \
    X(nvmlDeviceGetGpuMaxPcieLinkGeneration, "d p4") \
    X(nvmlDeviceGetGpuOperationMode, "d p4 p4") \
    X(nvmlDeviceGetGpuUptime_v1, "d p4") \
    X(nvmlDeviceGetGraphicsRunningProcesses, "d n a16") \
    X(nvmlDeviceGetGraphicsRunningProcesses_v2, "d n a24") \
    X(nvmlDeviceGetGraphicsRunningProcesses_v3, "d n a24") \
    X(nvmlDeviceGetGridLicensableFeatures, "d p860") \
    X(nvmlDeviceGetGridLicensableFeatures_v2, "d p860") \
    X(nvmlDeviceGetGridLicensableFeatures_v3, "d p860") \
    X(nvmlDeviceGetGridLicensableFeatures_v4, "d p860") \
    X(nvmlDeviceGetGspFirmwareMode, "d p4 p4") \
    X(nvmlDeviceGetGspFirmwareVersion, "d p1") \
    X(nvmlDeviceGetHandleByIndex, "w p8") \
    X(nvmlDeviceGetHandleByIndex_v2, "w p8") \
    X(nvmlDeviceGetHandleByPciBusId, "s p8") \
    X(nvmlDeviceGetHandleByPciBusId_v2, "s p8") \
    X(nvmlDeviceGetHandleBySerial, "s p8") \
    X(nvmlDeviceGetHandleByUUID, "s p8") \
    X(nvmlDeviceGetHandleByUUIDV, "p52 p8") \
    X(nvmlDeviceGetHostVgpuMode, "d p4") \
    X(nvmlDeviceGetHostname_v1, "d p64") \
    X(nvmlDeviceGetIndex, "d p4") \
    X(nvmlDeviceGetInforomConfigurationChecksum, "d p4") \
    X(nvmlDeviceGetInforomImageVersion, "d c w") \
    X(nvmlDeviceGetInforomVersion, "d w c w") \
    X(nvmlDeviceGetIrqNum, "d p4") \
    X(nvmlDeviceGetJpgUtilization, "d p4 p4") \
    X(nvmlDeviceGetLastBBXFlushTime, "d p8 p8") \
    X(nvmlDeviceGetMPSComputeRunningProcesses, "d n a16") \
    X(nvmlDeviceGetMPSComputeRunningProcesses_v2, "d n a24") \
    X(nvmlDeviceGetMPSComputeRunningProcesses_v3, "d n a24") \
    X(nvmlDeviceGetMarginTemperature, "d p8") \
    X(nvmlDeviceGetMaxClockInfo, "d w p4") \
    X(nvmlDeviceGetMaxCustomerBoostClock, "d w p4") \
    X(nvmlDeviceGetMaxMigDeviceCount, "d p4") \
    X(nvmlDeviceGetMaxPcieLinkGeneration, "d p4") \
    X(nvmlDeviceGetMaxPcieLinkWidth, "d p4") \
    X(nvmlDeviceGetMemClkMinMaxVfOffset, "d p4 p4") \
    X(nvmlDeviceGetMemClkVfOffset, "d p4") \
    X(nvmlDeviceGetMemoryAffinity, "d w p8 w") \
    X(nvmlDeviceGetMemoryBusWidth, "d p4") \
    X(nvmlDeviceGetMemoryErrorCounter, "d w w w p8") \
    X(nvmlDeviceGetMemoryInfo, "d p24") \
    X(nvmlDeviceGetMemoryInfo_v2, "d p40") \
    X(nvmlDeviceGetMemoryLimits_v1, "d p32") \
    X(nvmlDeviceGetMigDeviceHandleByIndex, "d w p8") \
    X(nvmlDeviceGetMigMode, "d p4 p4") \
    X(nvmlDeviceGetMinMaxClockOfPState, "d w w p4 p4") \
    X(nvmlDeviceGetMinMaxFanSpeed, "d p4 p4") \
    X(nvmlDeviceGetMinorNumber, "d p4") \
    X(nvmlDeviceGetModuleId, "d p4") \
    X(nvmlDeviceGetMultiGpuBoard, "d p4") \
    X(nvmlDeviceGetName, "d c w") \
    X(nvmlDeviceGetNumFans, "d p4") \
    X(nvmlDeviceGetNumGpuCores, "d p4") \
    X(nvmlDeviceGetNumaNodeId, "d p4") \
    X(nvmlDeviceGetNvLinkCapability, "d w w p4") \
    X(nvmlDeviceGetNvLinkErrorCounter, "d w w p8") \
    X(nvmlDeviceGetNvLinkInfo, "d p1612") \
    X(nvmlDeviceGetNvLinkInfo_v3, "d p1612") \
    X(nvmlDeviceGetNvLinkRemoteDeviceType, "d w p4") \
    X(nvmlDeviceGetNvLinkRemotePciInfo, "d w p68") \
    X(nvmlDeviceGetNvLinkRemotePciInfo_v2, "d w p68") \
    X(nvmlDeviceGetNvLinkState, "d w p4") \
    X(nvmlDeviceGetNvLinkTelemetrySamples_v1, "d p16") \
    X(nvmlDeviceGetNvLinkUtilizationControl, "d w w p8") \
    X(nvmlDeviceGetNvLinkUtilizationCounter, "d w w p8 p8") \
    X(nvmlDeviceGetNvLinkVersion, "d w p4") \
    X(nvmlDeviceGetNvlinkBwMode, "d p12") \
    X(nvmlDeviceGetNvlinkNvlePrivateInfo_v1, "d p260") \
    X(nvmlDeviceGetNvlinkRemapTableInfo_v1, "d p32776") \
    X(nvmlDeviceGetNvlinkSupportedBwModes, "d p28") \
    X(nvmlDeviceGetOfaUtilization, "d p4 p4") \
    X(nvmlDeviceGetP2PStatus, "d d w p4") \
    X(nvmlDeviceGetPciInfo, "d p68") \
    X(nvmlDeviceGetPciInfoExt, "d p64") \
    X(nvmlDeviceGetPciInfo_v2, "d p68") \
    X(nvmlDeviceGetPciInfo_v3, "d p68") \
    X(nvmlDeviceGetPcieLinkMaxSpeed, "d p4") \
    X(nvmlDeviceGetPcieReplayCounter, "d p4") \
    X(nvmlDeviceGetPcieSpeed, "d p4") \
    X(nvmlDeviceGetPcieThroughput, "d w p4") \
    X(nvmlDeviceGetPdi, "d p16") \
    X(nvmlDeviceGetPerformanceModes, "d p2052") \
    X(nvmlDeviceGetPerformanceState, "d p4") \
    X(nvmlDeviceGetPersistenceMode, "d p4") \
    X(nvmlDeviceGetPgpuMetadataString, "d b1 z") \
    X(nvmlDeviceGetPlatformInfo, "d p44") \
    X(nvmlDeviceGetPowerManagementDefaultLimit, "d p4") \
    X(nvmlDeviceGetPowerManagementLimit, "d p4") \
    X(nvmlDeviceGetPowerManagementLimitConstraints, "d p4 p4") \
    X(nvmlDeviceGetPowerManagementMode, "d p4") \
    X(nvmlDeviceGetPowerMizerMode_v1, "d p12") \
    X(nvmlDeviceGetPowerSource, "d p4") \
    X(nvmlDeviceGetPowerState, "d p4") \
    X(nvmlDeviceGetPowerUsage, "d p4") \
    X(nvmlDeviceGetProcessUtilization, "d p32 p4 q") \
    X(nvmlDeviceGetProcessesUtilizationInfo, "d p24") \
    X(nvmlDeviceGetRemappedRows, "d p4 p4 p4 p4") \
    X(nvmlDeviceGetRemappedRows_v2, "d p24") \
    X(nvmlDeviceGetRepairStatus, "d p12") \
    X(nvmlDeviceGetRetiredPages, "d w n a8") \
    X(nvmlDeviceGetRetiredPagesPendingStatus, "d p4") \
    X(nvmlDeviceGetRetiredPages_v2, "d w n a8 p8") \
    X(nvmlDeviceGetRowRemapperHistogram, "d p20") \
    X(nvmlDeviceGetRunningProcessDetailList, "d p24") \
    X(nvmlDeviceGetSamples, "d w q p4 n a16") \
    X(nvmlDeviceGetSerial, "d c w") \
    X(nvmlDeviceGetSramEccErrorStatus, "d p104") \
    X(nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts, "d p16") \
    X(nvmlDeviceGetSupportedClocksEventReasons, "d p8") \
    X(nvmlDeviceGetSupportedClocksThrottleReasons, "d p8") \
    X(nvmlDeviceGetSupportedEventTypes, "d p8") \
    X(nvmlDeviceGetSupportedGraphicsClocks, "d w n a4") \
    X(nvmlDeviceGetSupportedMemoryClocks, "d n a4") \
    X(nvmlDeviceGetSupportedPerformanceStates, "d p4 w") \
    X(nvmlDeviceGetSupportedVgpus, "d n a4") \
    X(nvmlDeviceGetTargetFanSpeed, "d w p4") \
    X(nvmlDeviceGetTemperature, "d w p4") \
    X(nvmlDeviceGetTemperatureThreshold, "d w p4") \
    X(nvmlDeviceGetTemperatureV, "d p12") \
    X(nvmlDeviceGetThermalSettings, "d w p64") \
    X(nvmlDeviceGetTopologyCommonAncestor, "d d p4") \
    X(nvmlDeviceGetTopologyNearestGpus, "d w n a8") \
    X(nvmlDeviceGetTotalEccErrors, "d w w p8") \
    X(nvmlDeviceGetTotalEnergyConsumption, "d p8") \
    X(nvmlDeviceGetUUID, "d c w") \
    X(nvmlDeviceGetUnrepairableMemoryFlag_v1, "d p4") \
    X(nvmlDeviceGetUtilizationRates, "d p8") \
    X(nvmlDeviceGetVbiosVersion, "d c w") \
    X(nvmlDeviceGetVgpuCapabilities, "d w p4") \
    X(nvmlDeviceGetVgpuHeterogeneousMode, "d p8") \
    X(nvmlDeviceGetVgpuInstancesUtilizationInfo, "d p32") \
    X(nvmlDeviceGetVgpuMetadata, "d b128 z") \
    X(nvmlDeviceGetVgpuProcessUtilization, "d q n a96") \
    X(nvmlDeviceGetVgpuProcessesUtilizationInfo, "d p24") \
    X(nvmlDeviceGetVgpuSchedulerCapabilities, "d p40") \
    X(nvmlDeviceGetVgpuSchedulerLog, "d p9624") \
    X(nvmlDeviceGetVgpuSchedulerLog_v2, "d p11224") \
    X(nvmlDeviceGetVgpuSchedulerState, "d p16") \
    X(nvmlDeviceGetVgpuSchedulerState_v2, "d p16") \
    X(nvmlDeviceGetVgpuTypeCreatablePlacements, "d t p32") \
    X(nvmlDeviceGetVgpuTypeSupportedPlacements, "d t p32") \
    X(nvmlDeviceGetVgpuUtilization, "d q p4 n a48") \
    X(nvmlDeviceGetViolationStatus, "d w p16") \
    X(nvmlDeviceGetVirtualizationMode, "d p4") \
    X(nvmlDeviceIsMigDeviceHandle, "d p4") \
    X(nvmlDeviceLockNvlinkRemapTable_v1, "d p2") \
    X(nvmlDeviceModifyDrainState, "p68 w") \
    X(nvmlDeviceOnSameBoard, "d d p4") \
    X(nvmlDevicePerfMetricsGetSamples_v1, "d p115344") \
    X(nvmlDevicePowerSmoothingActivatePresetProfile, "d p24") \
    X(nvmlDevicePowerSmoothingSetState, "d p8") \
    X(nvmlDevicePowerSmoothingUpdatePresetProfileParam, "d p24") \
    X(nvmlDeviceQueryDrainState, "p68 p4") \
    X(nvmlDeviceReadPRMCounters_v1, "d p16") \
    X(nvmlDeviceReadWritePRM_v1, "d p504") \
    X(nvmlDeviceRegisterEvents, "d q h") \
    X(nvmlDeviceRemoveGpu, "p68") \
    X(nvmlDeviceRemoveGpu_v2, "p68 w w") \
    X(nvmlDeviceResetApplicationsClocks, "d") \
    X(nvmlDeviceResetGpuLockedClocks, "d") \
    X(nvmlDeviceResetMemoryLockedClocks, "d") \
    X(nvmlDeviceResetNvLinkErrorCounters, "d w") \
    X(nvmlDeviceResetNvLinkUtilizationCounter, "d w w") \
    X(nvmlDeviceSetAPIRestriction, "d w w") \
    X(nvmlDeviceSetAccountingMode, "d w") \
    X(nvmlDeviceSetAdaptiveTgpMode_v1, "d w") \
    X(nvmlDeviceSetApplicationsClocks, "d w w") \
    X(nvmlDeviceSetAutoBoostedClocksEnabled, "d w") \
    X(nvmlDeviceSetClockOffsets, "d p24") \
    X(nvmlDeviceSetComputeMode, "d w") \
    X(nvmlDeviceSetConfComputeUnprotectedMemSize, "d q") \
    X(nvmlDeviceSetCpuAffinity, "d") \
    X(nvmlDeviceSetDefaultAutoBoostedClocksEnabled, "d w w") \
    X(nvmlDeviceSetDefaultFanSpeed_v2, "d w") \
    X(nvmlDeviceSetDramEncryptionMode, "d p8") \
    X(nvmlDeviceSetDriverModel, "d w w") \
    X(nvmlDeviceSetEccMode, "d w") \
    X(nvmlDeviceSetFanControlPolicy, "d w w") \
    X(nvmlDeviceSetFanSpeed_v2, "d w w") \
    X(nvmlDeviceSetGpcClkVfOffset, "d w") \
    X(nvmlDeviceSetGpuLockedClocks, "d w w") \
    X(nvmlDeviceSetGpuOperationMode, "d w") \
    X(nvmlDeviceSetHostname_v1, "d p64") \
    X(nvmlDeviceSetMemClkVfOffset, "d w") \
    X(nvmlDeviceSetMemoryLimits_v1, "d p24") \
    X(nvmlDeviceSetMemoryLockedClocks, "d w w") \
    X(nvmlDeviceSetMigMode, "d w p4") \
    X(nvmlDeviceSetNvLinkDeviceLowPowerThreshold, "d p4") \
    X(nvmlDeviceSetNvLinkUtilizationControl, "d w w p8 w") \
    X(nvmlDeviceSetNvlinkBwMode, "d p12") \
    X(nvmlDeviceSetNvlinkBwModeAsync_v1, "d p12") \
    X(nvmlDeviceSetNvlinkNvleReady_v1, "d p1") \
    X(nvmlDeviceSetPersistenceMode, "d w") \
    X(nvmlDeviceSetPowerManagementLimit, "d w") \
    X(nvmlDeviceSetPowerManagementLimit_v2, "d p12") \
    X(nvmlDeviceSetPowerMizerMode_v1, "d p12") \
    X(nvmlDeviceSetRusdSettings_v1, "d p16") \
    X(nvmlDeviceSetTemperatureThreshold, "d w p4") \
    X(nvmlDeviceSetVgpuCapabilities, "d w w") \
    X(nvmlDeviceSetVgpuHeterogeneousMode, "d p8") \
    X(nvmlDeviceSetVgpuSchedulerState, "d p16") \
    X(nvmlDeviceSetVgpuSchedulerState_v2, "d p16") \
    X(nvmlDeviceSetVirtualizationMode, "d w") \
    X(nvmlDeviceSetupNvlinkNvleEncryptionKey_v1, "d p560") \
    X(nvmlDeviceValidateInforom, "d") \
    X(nvmlDeviceVgpuForceGspUnload, "d") \
    X(nvmlDeviceWorkloadPowerProfileClearRequestedProfiles, "d p36") \
    X(nvmlDeviceWorkloadPowerProfileGetCurrentProfiles, "d p100") \
    X(nvmlDeviceWorkloadPowerProfileGetProfilesInfo, "d p11256") \
    X(nvmlDeviceWorkloadPowerProfileSetRequestedProfiles, "d p36") \
    X(nvmlDeviceWorkloadPowerProfileUpdateProfiles_v1, "d p36") \
    X(nvmlEventSetCreate, "p8") \
    X(nvmlEventSetFree, "h") \
    X(nvmlEventSetGetContextCount_v1, "h p4") \
    X(nvmlEventSetGetContextData_v1, "h p16") \
    X(nvmlEventSetGetContextInfo_v1, "h p20") \
    X(nvmlEventSetGetGpuOperationalEventContextLegacyXid_v1, "h p8") \
    X(nvmlEventSetRegisterGpuOperationalEvents_v1, "h p104") \
    X(nvmlEventSetWait, "h p32 w") \
    X(nvmlEventSetWait_v2, "h p32 w") \
    X(nvmlEventSetWait_v3, "h p224") \
    X(nvmlGetBlacklistDeviceCount, "") \
    X(nvmlGetBlacklistDeviceInfoByIndex, "") \
    X(nvmlGetExcludedDeviceCount, "p4") \
    X(nvmlGetExcludedDeviceInfoByIndex, "w p148") \
    X(nvmlGetVgpuCompatibility, "p212 p128 p8") \
    X(nvmlGetVgpuDriverCapabilities, "w p4") \
    X(nvmlGetVgpuVersion, "p8 p8") \
    X(nvmlGpmMetricsGet, "p19104") \
    X(nvmlGpmMigSampleGet, "d w h") \
    X(nvmlGpmQueryDeviceSupport, "d p8") \
    X(nvmlGpmQueryIfStreamingEnabled, "d p4") \
    X(nvmlGpmSampleAlloc, "p8") \
    X(nvmlGpmSampleFree, "h") \
    X(nvmlGpmSampleGet, "d h") \
    X(nvmlGpmSetStreamingEnabled, "d w") \
    X(nvmlGpuInstanceCreateComputeInstance, "h w p8") \
    X(nvmlGpuInstanceCreateComputeInstanceWithPlacement, "h w p8 p8") \
    X(nvmlGpuInstanceDestroy, "h") \
    X(nvmlGpuInstanceGetActiveVgpus, "h p16") \
    X(nvmlGpuInstanceGetComputeInstanceById, "h w p8") \
    X(nvmlGpuInstanceGetComputeInstancePossiblePlacements, "h w p8 p4") \
    X(nvmlGpuInstanceGetComputeInstanceProfileInfo, "h w w p36") \
    X(nvmlGpuInstanceGetComputeInstanceProfileInfoV, "h w w p136") \
    X(nvmlGpuInstanceGetComputeInstanceRemainingCapacity, "h w p4") \
    X(nvmlGpuInstanceGetComputeInstances, "h w p8 p4") \
    X(nvmlGpuInstanceGetCreatableVgpus, "h p16") \
    X(nvmlGpuInstanceGetInfo, "h p24") \
    X(nvmlGpuInstanceGetVgpuHeterogeneousMode, "h p8") \
    X(nvmlGpuInstanceGetVgpuSchedulerLog, "h p9632") \
    X(nvmlGpuInstanceGetVgpuSchedulerLog_v2, "h p11224") \
    X(nvmlGpuInstanceGetVgpuSchedulerState, "h p24") \
    X(nvmlGpuInstanceGetVgpuSchedulerState_v2, "h p16") \
    X(nvmlGpuInstanceGetVgpuTypeCreatablePlacements, "h p32") \
    X(nvmlGpuInstanceSetVgpuHeterogeneousMode, "h p8") \
    X(nvmlGpuInstanceSetVgpuSchedulerState, "h p24") \
    X(nvmlGpuInstanceSetVgpuSchedulerState_v2, "h p16") \
    X(nvmlInit, "") \
    X(nvmlInitWithFlags, "w") \
    X(nvmlInit_v2, "") \
    X(nvmlInternalGetExportTable, "") \
    X(nvmlSetVgpuVersion, "p8") \
    X(nvmlShutdown, "") \
    X(nvmlSystemEventSetCreate, "p16") \
    X(nvmlSystemEventSetFree, "p16") \
    X(nvmlSystemEventSetWait, "p32") \
    X(nvmlSystemGetCPER_v1, "p112") \
    X(nvmlSystemGetConfComputeCapabilities, "p8") \
    X(nvmlSystemGetConfComputeGpusReadyState, "p4") \
    X(nvmlSystemGetConfComputeKeyRotationThresholdInfo, "p16") \
    X(nvmlSystemGetConfComputeSettings, "p20") \
    X(nvmlSystemGetConfComputeSettings_v2, "p24") \
    X(nvmlSystemGetConfComputeState, "p12") \
    X(nvmlSystemGetCudaDriverVersion, "p4") \
    X(nvmlSystemGetCudaDriverVersion_v2, "p4") \
    X(nvmlSystemGetDriverBranch, "p84 w") \
    X(nvmlSystemGetDriverVersion, "c w") \
    X(nvmlSystemGetHicVersion, "n a36") \
    X(nvmlSystemGetNVMLVersion, "c w") \
    X(nvmlSystemGetNvlinkBwMode, "p4") \
    X(nvmlSystemGetProcessName, "w c w") \
    X(nvmlSystemGetTopologyGpuSet, "w n a8") \
    X(nvmlSystemRegisterEvents, "p24") \
    X(nvmlSystemSetConfComputeGpusReadyState, "w") \
    X(nvmlSystemSetConfComputeKeyRotationThresholdInfo, "p16") \
    X(nvmlSystemSetNvlinkBwMode, "w") \
    X(nvmlUnitGetCount, "p4") \
    X(nvmlUnitGetDevices, "h n a8") \
    X(nvmlUnitGetFanSpeedInfo, "h p196") \
    X(nvmlUnitGetHandleByIndex, "w p8") \
    X(nvmlUnitGetLedState, "h p260") \
    X(nvmlUnitGetPsuInfo, "h p268") \
    X(nvmlUnitGetTemperature, "h w p4") \
    X(nvmlUnitGetUnitInfo, "h p384") \
    X(nvmlUnitSetLedState, "h w") \
    X(nvmlVgpuInstanceClearAccountingPids, "i") \
    X(nvmlVgpuInstanceGetAccountingMode, "i p4") \
    X(nvmlVgpuInstanceGetAccountingPids, "i n a4") \
    X(nvmlVgpuInstanceGetAccountingStats, "i w p56") \
    X(nvmlVgpuInstanceGetEccMode, "i p4") \
    X(nvmlVgpuInstanceGetEncoderCapacity, "i p4") \
    X(nvmlVgpuInstanceGetEncoderSessions, "i n a32") \
    X(nvmlVgpuInstanceGetEncoderStats, "i p4 p4 p4") \
    X(nvmlVgpuInstanceGetFBCSessions, "i n a48") \
    X(nvmlVgpuInstanceGetFBCStats, "i p12") \
    X(nvmlVgpuInstanceGetFbUsage, "i p8") \
    X(nvmlVgpuInstanceGetFrameRateLimit, "i p4") \
    X(nvmlVgpuInstanceGetGpuInstanceId, "i p4") \
    X(nvmlVgpuInstanceGetGpuPciId, "i b1 z") \
    X(nvmlVgpuInstanceGetLicenseInfo, "i p24") \
    X(nvmlVgpuInstanceGetLicenseInfo_v2, "i p24") \
    X(nvmlVgpuInstanceGetLicenseStatus, "i p4") \
    X(nvmlVgpuInstanceGetMdevUUID, "i c w") \
    X(nvmlVgpuInstanceGetMetadata, "i b212 z") \
    X(nvmlVgpuInstanceGetPlacementId, "i p8") \
    X(nvmlVgpuInstanceGetRuntimeStateSize, "i p16") \
    X(nvmlVgpuInstanceGetType, "i p4") \
    X(nvmlVgpuInstanceGetUUID, "i c w") \
    X(nvmlVgpuInstanceGetVmDriverVersion, "i c w") \
    X(nvmlVgpuInstanceGetVmID, "i c w p4") \
    X(nvmlVgpuInstanceSetEncoderCapacity, "i w") \
    X(nvmlVgpuTypeGetBAR1Info, "t p16") \
    X(nvmlVgpuTypeGetCapabilities, "t w p4") \
    X(nvmlVgpuTypeGetClass, "t b1 z") \
    X(nvmlVgpuTypeGetDeviceID, "t p8 p8") \
    X(nvmlVgpuTypeGetFbReservation, "t p8") \
    X(nvmlVgpuTypeGetFrameRateLimit, "t p4") \
    X(nvmlVgpuTypeGetFramebufferSize, "t p8") \
    X(nvmlVgpuTypeGetGpuInstanceProfileId, "t p4") \
    X(nvmlVgpuTypeGetGspHeapSize, "t p8") \
    X(nvmlVgpuTypeGetLicense, "t c w") \
    X(nvmlVgpuTypeGetMaxInstances, "d t p4") \
    X(nvmlVgpuTypeGetMaxInstancesPerGpuInstance, "p12") \
    X(nvmlVgpuTypeGetMaxInstancesPerVm, "t p4") \
    X(nvmlVgpuTypeGetName, "t b1 z") \
    X(nvmlVgpuTypeGetNumDisplayHeads, "t p4") \
    X(nvmlVgpuTypeGetResolution, "t w p4 p4")
