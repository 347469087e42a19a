/* Processes on a gpu: on a vGPU host, the one that runs each active vgpu.

   The generations of these functions have two structures; the first ends before the GPU instance. */
#include "lookup.h"

enum kind { COMPUTE, GRAPHICS, MPS };

struct process {
    unsigned int pid, gpu_instance;
    unsigned long long used;
};

typedef void put_process(void *to, uint32_t position, const struct process *process);

static void put_v1(void *to, uint32_t position, const struct process *process)
{
    nvmlProcessInfo_v1_t *info = (nvmlProcessInfo_v1_t *)to + position;
    info->pid = process->pid;
    info->usedGpuMemory = process->used;
}

static void put_v2(void *to, uint32_t position, const struct process *process)
{
    nvmlProcessInfo_v2_t *info = (nvmlProcessInfo_v2_t *)to + position;
    info->pid = process->pid;
    info->usedGpuMemory = process->used;
    info->gpuInstanceId = process->gpu_instance;
    info->computeInstanceId = VGM_ANY; /* a vgpu has its GPU instance as a whole */
}

/* Write as many processes of a gpu as there is room for; `found` says how many there are. */
static bool put_processes(struct vgm_call *call, const struct vgm_gpu *gpu, enum kind kind, put_process *put,
                          void *to, uint32_t room, uint32_t *found)
{
    uint32_t count = ONCE(gpu->active_count);
    const uint32_t *active = vgm_list(call, ONCE(gpu->active_first), count);
    *found = 0;
    for (uint32_t i = 0; active != NULL && i < count; i++) {
        const struct vgm_instance *instance = vgm_peek_instance(call, ONCE(active[i]));
        if (instance == NULL) {
            call->code = NVML_ERROR_UNKNOWN;
            return false;
        }
        const struct process process = {instance->process, instance->gpu_instance, instance->framebuffer_used};
        enum kind its_kind = instance->is_compute ? COMPUTE : GRAPHICS;
        if (process.pid == 0 || its_kind != kind)
            continue;
        if (*found < room)
            put(to, *found, &process);
        ++*found;
    }
    return active != NULL;
}

static nvmlReturn_t processes(enum vgm_function function, nvmlDevice_t device, enum kind kind, unsigned int *count,
                              put_process *put, void *to)
{
    uint32_t room = 0, found = 0;
    struct vgm_call call;
    for (vgm_begin(&call, function); call.going; vgm_end(&call)) {
        if (call.code != NVML_SUCCESS)
            continue;
        REQUIRE(count != NULL && (to != NULL || *count == 0));
        room = *count;
        GPU(gpu, device);
        if (!put_processes(&call, gpu, kind, put, to, room, &found))
            continue;
    }
    if (call.code != NVML_SUCCESS)
        return call.code;
    *count = found;
    return found <= room ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

#define PROCESSES(name, kind, type, put)                                                          \
    VGM_API nvmlReturn_t name(nvmlDevice_t device, unsigned int *infoCount, type *infos)          \
    {                                                                                             \
        return processes(F_##name, device, kind, infoCount, put, infos);                          \
    }

PROCESSES(nvmlDeviceGetComputeRunningProcesses, COMPUTE, nvmlProcessInfo_v1_t, put_v1)
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, COMPUTE, nvmlProcessInfo_v2_t, put_v2)
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, COMPUTE, nvmlProcessInfo_t, put_v2)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, GRAPHICS, nvmlProcessInfo_v1_t, put_v1)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, GRAPHICS, nvmlProcessInfo_v2_t, put_v2)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, GRAPHICS, nvmlProcessInfo_t, put_v2)
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses, MPS, nvmlProcessInfo_v1_t, put_v1)
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, MPS, nvmlProcessInfo_v2_t, put_v2)
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, MPS, nvmlProcessInfo_t, put_v2)
