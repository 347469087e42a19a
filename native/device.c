/* What is said of one gpu, apart from its vgpus. */
#include "lookup.h"
#include "pci.h"

/* Answers that are one number of the gpu, or of nothing but that it is there. */
#define NUMBER(name, type, number)                                  \
    VGM_API nvmlReturn_t name(nvmlDevice_t device, type *answer)    \
    {                                                               \
        type value = (type)0;                                       \
        CALL(name) {                                                \
            REQUIRE(answer != NULL);                                \
            GPU(gpu, device);                                       \
            value = (type)(number);                                 \
        }                                                           \
        ANSWER(*answer = value);                                    \
    }

NUMBER(nvmlDeviceGetIndex, unsigned int, gpu_number)
NUMBER(nvmlDeviceGetMinorNumber, unsigned int, gpu_number)
NUMBER(nvmlDeviceGetBrand, nvmlBrandType_t, gpu->brand)
NUMBER(nvmlDeviceGetArchitecture, nvmlDeviceArchitecture_t, gpu->architecture)
NUMBER(nvmlDeviceGetDisplayMode, nvmlEnableState_t, NVML_FEATURE_DISABLED)
NUMBER(nvmlDeviceGetDisplayActive, nvmlEnableState_t, NVML_FEATURE_DISABLED)
NUMBER(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, gpu->persistence)
NUMBER(nvmlDeviceGetComputeMode, nvmlComputeMode_t, gpu->compute_mode)
NUMBER(nvmlDeviceGetPerformanceState, nvmlPstates_t, gpu->performance_state)
NUMBER(nvmlDeviceGetPowerState, nvmlPstates_t, gpu->performance_state)
NUMBER(nvmlDeviceGetPowerManagementMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
NUMBER(nvmlDeviceGetPowerUsage, unsigned int, gpu->power_mw)
NUMBER(nvmlDeviceGetPowerManagementLimit, unsigned int, gpu->power_limit_mw)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, gpu->power_limit_mw)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, unsigned int, gpu->power_limit_mw)
NUMBER(nvmlDeviceIsMigDeviceHandle, unsigned int, 0)
/* The gpu's GPU instances carry vgpus, not MIG devices of their own. */
NUMBER(nvmlDeviceGetMaxMigDeviceCount, unsigned int, 0)

VGM_API nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)
{
    struct vgm_text text;
    CALL(nvmlDeviceGetName) {
        REQUIRE(name != NULL);
        GPU(gpu, device);
        TEXT(text, gpu->name);
    }
    ANSWER(return vgm_put_text(&text, name, length));
}

VGM_API nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)
{
    struct vgm_text text;
    CALL(nvmlDeviceGetUUID) {
        REQUIRE(uuid != NULL);
        GPU(gpu, device);
        TEXT(text, gpu->uuid);
    }
    ANSWER(return vgm_put_text(&text, uuid, length));
}

static void fill_pci(const struct vgm_gpu *gpu, nvmlPciInfo_t *pci)
{
    const struct vgm_address address = {gpu->pci_domain, gpu->pci_bus, gpu->pci_device};
    memset(pci, 0, sizeof *pci);
    pci->domain = address.domain;
    pci->bus = address.bus;
    pci->device = address.device;
    pci->pciDeviceId = gpu->pci_device_id;
    pci->pciSubSystemId = gpu->pci_subsystem_id;
    vgm_spell_address(&address, 4, pci->busIdLegacy);
    vgm_spell_address(&address, 8, pci->busId);
}

/* A client of an older function has an older, shorter structure, of which no more may be written. */
#define PCI_INFO(name, size)                                                    \
    VGM_API nvmlReturn_t name(nvmlDevice_t device, nvmlPciInfo_t *pci)          \
    {                                                                           \
        nvmlPciInfo_t answer;                                                   \
        CALL(name) {                                                            \
            REQUIRE(pci != NULL);                                               \
            GPU(gpu, device);                                                   \
            fill_pci(gpu, &answer);                                             \
        }                                                                       \
        ANSWER(memcpy(pci, &answer, size));                                     \
    }

PCI_INFO(nvmlDeviceGetPciInfo, offsetof(nvmlPciInfo_t, pciSubSystemId))
PCI_INFO(nvmlDeviceGetPciInfo_v2, offsetof(nvmlPciInfo_t, busId))
PCI_INFO(nvmlDeviceGetPciInfo_v3, sizeof(nvmlPciInfo_t))

VGM_API nvmlReturn_t nvmlDeviceGetPciInfoExt(nvmlDevice_t device, nvmlPciInfoExt_t *pci)
{
    nvmlPciInfo_t plain;
    CALL(nvmlDeviceGetPciInfoExt) {
        VERSIONED(pci, nvmlPciInfoExt_v1);
        GPU(gpu, device);
        fill_pci(gpu, &plain);
    }
    if (call.code != NVML_SUCCESS)
        return call.code;
    pci->domain = plain.domain;
    pci->bus = plain.bus;
    pci->device = plain.device;
    pci->pciDeviceId = plain.pciDeviceId;
    pci->pciSubSystemId = plain.pciSubSystemId;
    pci->baseClass = 0x03; /* display controller, 3D: what a gpu without outputs says */
    pci->subClass = 0x02;
    memcpy(pci->busId, plain.busId, sizeof plain.busId);
    return NVML_SUCCESS;
}

static unsigned long long rest(unsigned long long total, unsigned long long taken)
{
    return taken < total ? total - taken : 0;
}

VGM_API nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    nvmlMemory_t value = {0};
    CALL(nvmlDeviceGetMemoryInfo) {
        REQUIRE(memory != NULL);
        GPU(gpu, device);
        value.total = gpu->memory_total;
        value.used = gpu->memory_used + gpu->memory_reserved;
    }
    value.free = rest(value.total, value.used);
    ANSWER(*memory = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    nvmlMemory_v2_t value = {.version = nvmlMemory_v2};
    CALL(nvmlDeviceGetMemoryInfo_v2) {
        VERSIONED(memory, nvmlMemory_v2);
        GPU(gpu, device);
        value.total = gpu->memory_total;
        value.reserved = gpu->memory_reserved;
        value.used = gpu->memory_used;
    }
    value.free = rest(value.total, value.used + value.reserved);
    ANSWER(*memory = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *bar1Memory)
{
    nvmlBAR1Memory_t value = {0};
    CALL(nvmlDeviceGetBAR1MemoryInfo) {
        REQUIRE(bar1Memory != NULL);
        GPU(gpu, device);
        value.bar1Total = value.bar1Free = gpu->bar1_total;
    }
    ANSWER(*bar1Memory = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
    nvmlUtilization_t value = {0};
    CALL(nvmlDeviceGetUtilizationRates) {
        REQUIRE(utilization != NULL);
        GPU(gpu, device);
        value.gpu = gpu->utilization_gpu;
        value.memory = gpu->utilization_memory;
    }
    ANSWER(*utilization = value);
}

#define SAMPLING_PERIOD_US 167000u /* a sixth of a second, the shortest that NVML names */

#define CODER_UTILIZATION(name, number)                                                               \
    VGM_API nvmlReturn_t name(nvmlDevice_t device, unsigned int *utilization, unsigned int *period)   \
    {                                                                                                 \
        unsigned int value = 0;                                                                       \
        CALL(name) {                                                                                  \
            REQUIRE(utilization != NULL && period != NULL);                                           \
            GPU(gpu, device);                                                                         \
            value = gpu->number;                                                                      \
        }                                                                                             \
        ANSWER(*utilization = value; *period = SAMPLING_PERIOD_US);                                   \
    }

CODER_UTILIZATION(nvmlDeviceGetEncoderUtilization, utilization_encoder)
CODER_UTILIZATION(nvmlDeviceGetDecoderUtilization, utilization_decoder)

static nvmlReturn_t fan_speed(enum vgm_function function, nvmlDevice_t device, unsigned int fan, unsigned int *speed)
{
    unsigned int value = 0;
    struct vgm_call call;
    for (vgm_begin(&call, function); call.going; vgm_end(&call)) {
        if (call.code != NVML_SUCCESS)
            continue;
        REQUIRE(speed != NULL);
        GPU(gpu, device);
        value = gpu->fan_speed;
        if (value == VGM_ANY)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
        REQUIRE(fan == 0);
    }
    ANSWER(*speed = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *speed)
{
    return fan_speed(F_nvmlDeviceGetFanSpeed, device, 0, speed);
}

VGM_API nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int *speed)
{
    return fan_speed(F_nvmlDeviceGetFanSpeed_v2, device, fan, speed);
}

VGM_API nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int *numFans)
{
    CALL(nvmlDeviceGetNumFans) {
        REQUIRE(numFans != NULL);
        GPU(gpu, device);
        if (gpu->fan_speed == VGM_ANY)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
    }
    ANSWER(*numFans = 1);
}

VGM_API nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensorType,
                                              unsigned int *temp)
{
    unsigned int value = 0;
    CALL(nvmlDeviceGetTemperature) {
        REQUIRE(temp != NULL && sensorType == NVML_TEMPERATURE_GPU);
        GPU(gpu, device);
        value = gpu->temperature;
    }
    ANSWER(*temp = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature)
{
    int value = 0;
    CALL(nvmlDeviceGetTemperatureV) {
        VERSIONED(temperature, nvmlTemperature_v1);
        REQUIRE(temperature->sensorType == NVML_TEMPERATURE_GPU);
        GPU(gpu, device);
        value = (int)gpu->temperature;
    }
    ANSWER(temperature->temperature = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    int values[2] = {0};
    CALL(nvmlDeviceGetCudaComputeCapability) {
        REQUIRE(major != NULL && minor != NULL);
        GPU(gpu, device);
        values[0] = (int)gpu->compute_major;
        values[1] = (int)gpu->compute_minor;
    }
    ANSWER(*major = values[0]; *minor = values[1]);
}

VGM_API nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current,
                                          nvmlEnableState_t *pending)
{
    nvmlEnableState_t value = NVML_FEATURE_DISABLED;
    CALL(nvmlDeviceGetEccMode) {
        REQUIRE(current != NULL && pending != NULL);
        GPU(gpu, device);
        if (!gpu->ecc_capable)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
        value = (nvmlEnableState_t)gpu->ecc_enabled;
    }
    ANSWER(*current = *pending = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetDefaultEccMode(nvmlDevice_t device, nvmlEnableState_t *defaultMode)
{
    CALL(nvmlDeviceGetDefaultEccMode) {
        REQUIRE(defaultMode != NULL);
        GPU(gpu, device);
        if (!gpu->ecc_capable)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
    }
    ANSWER(*defaultMode = NVML_FEATURE_ENABLED);
}

VGM_API nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t errorType,
                                                 nvmlEccCounterType_t counterType, unsigned long long *eccCounts)
{
    unsigned long long value = 0;
    CALL(nvmlDeviceGetTotalEccErrors) {
        REQUIRE(eccCounts != NULL);
        REQUIRE(errorType == NVML_MEMORY_ERROR_TYPE_CORRECTED || errorType == NVML_MEMORY_ERROR_TYPE_UNCORRECTED);
        REQUIRE(counterType == NVML_VOLATILE_ECC || counterType == NVML_AGGREGATE_ECC);
        GPU(gpu, device);
        if (!gpu->ecc_enabled)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
        value = errorType == NVML_MEMORY_ERROR_TYPE_CORRECTED ? gpu->ecc_corrected : gpu->ecc_uncorrected;
    }
    ANSWER(*eccCounts = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *currentMode, unsigned int *pendingMode)
{
    unsigned int value = 0;
    CALL(nvmlDeviceGetMigMode) {
        REQUIRE(currentMode != NULL && pendingMode != NULL);
        GPU(gpu, device);
        if (!gpu->mig_capable)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
        value = gpu->mig_enabled;
    }
    ANSWER(*currentMode = *pendingMode = value);
}
