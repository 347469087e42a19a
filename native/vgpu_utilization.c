/* Utilization of a gpu's active vgpus: one sample each, as of now. */
#include "lookup.h"

struct sample {
    unsigned long long time;
    unsigned int instance, sm, memory, encoder, decoder;
};

typedef void put_sample(void *to, uint32_t position, const struct sample *sample);

static nvmlValue_t number(unsigned int value)
{
    nvmlValue_t answer = {.ullVal = 0};
    answer.uiVal = value;
    return answer;
}

static void put_plain(void *to, uint32_t position, const struct sample *sample)
{
    nvmlVgpuInstanceUtilizationSample_t *out = (nvmlVgpuInstanceUtilizationSample_t *)to + position;
    out->vgpuInstance = sample->instance;
    out->timeStamp = sample->time;
    out->smUtil = number(sample->sm);
    out->memUtil = number(sample->memory);
    out->encUtil = number(sample->encoder);
    out->decUtil = number(sample->decoder);
}

static void put_info(void *to, uint32_t position, const struct sample *sample)
{
    nvmlVgpuInstanceUtilizationInfo_v1_t *out = (nvmlVgpuInstanceUtilizationInfo_v1_t *)to + position;
    out->timeStamp = sample->time;
    out->vgpuInstance = sample->instance;
    out->smUtil = number(sample->sm);
    out->memUtil = number(sample->memory);
    out->encUtil = number(sample->encoder);
    out->decUtil = number(sample->decoder);
    out->jpgUtil = number(0);
    out->ofaUtil = number(0);
}

static unsigned long long now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (unsigned long long)now.tv_sec * 1000000u + (unsigned long long)now.tv_nsec / 1000u;
}

/* Write a gpu's samples where there is room for all of them; `found` says how many there are. */
static bool put_samples(struct vgm_call *call, const struct vgm_gpu *gpu, put_sample *put, void *to, uint32_t room,
                        uint32_t *found)
{
    uint32_t count = ONCE(gpu->active_count);
    const uint32_t *active = vgm_list(call, ONCE(gpu->active_first), count);
    *found = count;
    if (active == NULL || to == NULL || count > room)
        return active != NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct vgm_instance *instance = vgm_peek_instance(call, ONCE(active[i]));
        if (instance == NULL) {
            call->code = NVML_ERROR_UNKNOWN;
            return false;
        }
        const struct sample sample = {
            .time = now_us(),
            .instance = instance->handle,
            .sm = instance->utilization_sm,
            .memory = instance->utilization_memory,
            .encoder = instance->utilization_encoder,
            .decoder = instance->utilization_decoder,
        };
        put(to, i, &sample);
    }
    return true;
}

VGM_API nvmlReturn_t nvmlDeviceGetVgpuUtilization(nvmlDevice_t device, unsigned long long lastSeenTimeStamp,
                                                  nvmlValueType_t *sampleValType,
                                                  unsigned int *vgpuInstanceSamplesCount,
                                                  nvmlVgpuInstanceUtilizationSample_t *utilizationSamples)
{
    uint32_t room = 0, found = 0;
    CALL(nvmlDeviceGetVgpuUtilization) {
        REQUIRE(sampleValType != NULL && vgpuInstanceSamplesCount != NULL);
        REQUIRE(utilizationSamples == NULL || *vgpuInstanceSamplesCount != 0);
        room = utilizationSamples != NULL ? *vgpuInstanceSamplesCount : 0;
        VGPU_HOST(gpu, device);
        if (lastSeenTimeStamp >= now_us())
            FAIL(NVML_ERROR_NOT_FOUND);
        if (!put_samples(&call, gpu, put_plain, utilizationSamples, room, &found))
            continue;
    }
    if (call.code != NVML_SUCCESS)
        return call.code;
    *vgpuInstanceSamplesCount = found;
    if (found > room)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    *sampleValType = NVML_VALUE_TYPE_UNSIGNED_INT;
    return NVML_SUCCESS;
}

VGM_API nvmlReturn_t nvmlDeviceGetVgpuInstancesUtilizationInfo(nvmlDevice_t device,
                                                               nvmlVgpuInstancesUtilizationInfo_t *vgpuUtilInfo)
{
    uint32_t room = 0, found = 0;
    CALL(nvmlDeviceGetVgpuInstancesUtilizationInfo) {
        VERSIONED(vgpuUtilInfo, nvmlVgpuInstancesUtilizationInfo_v1);
        REQUIRE(vgpuUtilInfo->vgpuUtilArray == NULL || vgpuUtilInfo->vgpuInstanceCount != 0);
        room = vgpuUtilInfo->vgpuUtilArray != NULL ? vgpuUtilInfo->vgpuInstanceCount : 0;
        VGPU_HOST(gpu, device);
        if (vgpuUtilInfo->lastSeenTimeStamp >= now_us())
            FAIL(NVML_ERROR_NOT_FOUND);
        if (!put_samples(&call, gpu, put_info, vgpuUtilInfo->vgpuUtilArray, room, &found))
            continue;
    }
    if (call.code != NVML_SUCCESS)
        return call.code;
    vgpuUtilInfo->vgpuInstanceCount = found;
    if (found > room)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    vgpuUtilInfo->sampleValType = NVML_VALUE_TYPE_UNSIGNED_INT;
    return NVML_SUCCESS;
}
