/* What is said of the host as a whole. */
#include "lookup.h"

/* What the library says of its own version while no host can say. */
static const struct vgm_text own_version = {"13.580.00", sizeof "13.580.00"};

VGM_API nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    struct vgm_text text;
    CALL(nvmlSystemGetDriverVersion) {
        REQUIRE(version != NULL);
        SYSTEM();
        TEXT(text, call.host->driver);
    }
    ANSWER(return vgm_put_text(&text, version, length));
}

/* The one function beside nvmlErrorString that works before init, as in libraries since driver 535. */
VGM_API nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
    struct vgm_text text;
    CALL(nvmlSystemGetNVMLVersion) {
        REQUIRE(version != NULL);
        SYSTEM();
        TEXT(text, call.host->nvml);
    }
    if (call.code == NVML_ERROR_UNINITIALIZED)
        return version != NULL ? vgm_put_text(&own_version, version, length) : NVML_ERROR_INVALID_ARGUMENT;
    ANSWER(return vgm_put_text(&text, version, length));
}

#define CUDA_VERSION(name)                     \
    VGM_API nvmlReturn_t name(int *version)    \
    {                                          \
        int value = 0;                         \
        CALL(name) {                           \
            REQUIRE(version != NULL);          \
            SYSTEM();                          \
            value = (int)call.host->cuda_version; \
        }                                      \
        ANSWER(*version = value);              \
    }

CUDA_VERSION(nvmlSystemGetCudaDriverVersion)
CUDA_VERSION(nvmlSystemGetCudaDriverVersion_v2)

VGM_API nvmlReturn_t nvmlSystemGetDriverBranch(nvmlSystemDriverBranchInfo_t *branchInfo, unsigned int length)
{
    struct vgm_text text;
    CALL(nvmlSystemGetDriverBranch) {
        VERSIONED(branchInfo, nvmlSystemDriverBranchInfo_v1);
        SYSTEM();
        TEXT(text, call.host->branch);
    }
    ANSWER(return vgm_put_text(&text, branchInfo->branch, length));
}

VGM_API nvmlReturn_t nvmlGetVgpuDriverCapabilities(nvmlVgpuDriverCapability_t capability, unsigned int *capResult)
{
    unsigned int value = 0;
    CALL(nvmlGetVgpuDriverCapabilities) {
        REQUIRE(capResult != NULL && (unsigned int)capability < NVML_VGPU_DRIVER_CAP_COUNT);
        SYSTEM();
        if (!call.host->has_manager)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
        value = call.host->driver_capabilities >> capability & 1;
    }
    ANSWER(*capResult = value);
}
