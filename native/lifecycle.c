/* Starting and stopping, and the texts of the codes: what works without a host. */
#include "fault.h"
#include "session.h"

/* A fault at init is asked as at any other call, and an init that fails does not count. */
static nvmlReturn_t initialise(enum vgm_function function)
{
    nvmlReturn_t code = vgm_session_open();
    if (code != NVML_SUCCESS)
        return code;
    struct vgm_call call;
    for (vgm_begin(&call, function); call.going; vgm_end(&call))
        if (call.code == NVML_SUCCESS)
            vgm_ask_faults(&call, VGM_ANY, VGM_ANY);
    if (call.code != NVML_SUCCESS)
        vgm_session_close();
    return call.code;
}

VGM_API nvmlReturn_t nvmlInit(void)
{
    return initialise(F_nvmlInit);
}

VGM_API nvmlReturn_t nvmlInit_v2(void)
{
    return initialise(F_nvmlInit_v2);
}

/* The flags say what to do about gpus in a bad state; a simulated one has nothing to spare them. */
VGM_API nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    return initialise(F_nvmlInitWithFlags);
}

VGM_API nvmlReturn_t nvmlShutdown(void)
{
    return vgm_session_close();
}

/* As driver 570 says them; a test compares. */
static const char *const texts[] = {
    [0] = "Success",
    [1] = "Uninitialized",
    [2] = "Invalid Argument",
    [3] = "Not Supported",
    [4] = "Insufficient Permissions",
    [5] = "Already Initialized",
    [6] = "Not Found",
    [7] = "Insufficient Size",
    [8] = "Insufficient External Power",
    [9] = "Driver Not Loaded",
    [10] = "Timeout",
    [11] = "Interrupt Request Issue",
    [12] = "NVML Shared Library Not Found",
    [13] = "Function Not Found",
    [14] = "Corrupted infoROM",
    [15] = "GPU is lost",
    [16] = "GPU requires reset",
    [17] = "GPU access blocked by the operating system",
    [18] = "Driver/library version mismatch",
    [19] = "In use by another client",
    [20] = "Insufficient Memory",
    [21] = "No data",
    [22] = "vGPU ECC not supported",
    [23] = "Insufficient Resources",
    [24] = "Invalid Frequency",
    [25] = "Argument version mismatch",
    [26] = "Requested functionality has been deprecated",
    [27] = "System is not in ready state",
    [28] = "No supported GPUs were found",
    [29] = "Resource not in correct state to perform requested operation",
};

#ifdef VGM_NVIDIA_HEADER
VGM_API const DECLDIR char *nvmlErrorString(nvmlReturn_t result)
#else
VGM_API const char *nvmlErrorString(nvmlReturn_t result)
#endif
{
    unsigned int code = (unsigned int)result;
    return code < sizeof texts / sizeof *texts ? texts[code] : "Unknown Error";
}
