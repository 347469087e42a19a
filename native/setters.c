/* What changes the host. The library checks what the arguments are; whether the host can is the host's to say. */
#include "lookup.h"
#include "wire.h"

static nvmlReturn_t ask_host(const struct vgm_call *call, uint32_t gpu, uint64_t first, uint64_t second)
{
    const struct vgm_call_body body = {.function = call->function, .gpu = gpu, .arguments = {first, second}};
    return vgm_send_call(call->view, &body);
}

VGM_API nvmlReturn_t nvmlSetVgpuVersion(nvmlVgpuVersion_t *vgpuVersion)
{
    CALL(nvmlSetVgpuVersion) {
        REQUIRE(vgpuVersion != NULL);
        SYSTEM();
    }
    ANSWER(return ask_host(&call, VGM_ANY, vgpuVersion->minVersion, vgpuVersion->maxVersion));
}

VGM_API nvmlReturn_t nvmlDeviceSetPersistenceMode(nvmlDevice_t device, nvmlEnableState_t mode)
{
    uint32_t number = VGM_ANY;
    CALL(nvmlDeviceSetPersistenceMode) {
        REQUIRE(mode == NVML_FEATURE_DISABLED || mode == NVML_FEATURE_ENABLED);
        GPU(gpu, device);
        number = gpu_number;
    }
    ANSWER(return ask_host(&call, number, (uint64_t)mode, 0));
}

VGM_API nvmlReturn_t nvmlDeviceSetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t virtualMode)
{
    uint32_t number = VGM_ANY;
    CALL(nvmlDeviceSetVirtualizationMode) {
        REQUIRE((unsigned int)virtualMode <= NVML_GPU_VIRTUALIZATION_MODE_HOST_VSGA);
        GPU(gpu, device);
        number = gpu_number;
    }
    ANSWER(return ask_host(&call, number, (uint64_t)virtualMode, 0));
}

VGM_API nvmlReturn_t nvmlDeviceSetVgpuHeterogeneousMode(nvmlDevice_t device,
                                                        const nvmlVgpuHeterogeneousMode_t *pHeterogeneousMode)
{
    uint32_t number = VGM_ANY;
    CALL(nvmlDeviceSetVgpuHeterogeneousMode) {
        VERSIONED(pHeterogeneousMode, nvmlVgpuHeterogeneousMode_v1);
        REQUIRE(pHeterogeneousMode->mode <= NVML_FEATURE_ENABLED);
        VGPU_HOST(gpu, device);
        number = gpu_number;
    }
    ANSWER(return ask_host(&call, number, pHeterogeneousMode->mode, 0));
}

VGM_API nvmlReturn_t nvmlDeviceSetVgpuCapabilities(nvmlDevice_t device, nvmlDeviceVgpuCapability_t capability,
                                                   nvmlEnableState_t state)
{
    uint32_t number = VGM_ANY;
    CALL(nvmlDeviceSetVgpuCapabilities) {
        REQUIRE((unsigned int)capability < NVML_DEVICE_VGPU_CAP_COUNT);
        REQUIRE(state == NVML_FEATURE_DISABLED || state == NVML_FEATURE_ENABLED);
        VGPU_HOST(gpu, device);
        number = gpu_number;
    }
    ANSWER(return ask_host(&call, number, (uint64_t)capability, (uint64_t)state));
}
