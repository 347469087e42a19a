/* A driver that is not ours: one gpu, one vgpu, records of 4,000 bytes, and a verdict of its own. */
#include <string.h>

enum { SUCCESS = 0, INVALID = 2, NOT_FOUND = 6, SHORT = 7, LONG_RECORD = 4000 };

static char gpu;

int nvmlInitWithFlags(unsigned flags) { return flags ? INVALID : SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return code ? "no" : "yes"; }

static int text(char *to, unsigned room, const char *from)
{
    if (strlen(from) + 1 > room)
        return SHORT;
    strcpy(to, from);
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *to, unsigned room) { return text(to, room, "550.54.16"); }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **to) { *to = &gpu; return index ? INVALID : SUCCESS; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **to)
{
    *to = &gpu;
    return strcmp(uuid, "GPU-long") ? NOT_FOUND : SUCCESS;
}
int nvmlDeviceGetUUID(void *of, char *to, unsigned room) { return of ? text(to, room, "GPU-long") : INVALID; }
int nvmlDeviceGetName(void *of, char *to, unsigned room) { return of ? text(to, room, "NVIDIA A40") : INVALID; }
int nvmlDeviceGetMemoryInfo(void *of, unsigned long long memory[3])
{
    memory[0] = 48ull << 30, memory[1] = 40ull << 30, memory[2] = 8ull << 30;
    return of ? SUCCESS : INVALID;
}

static int one(unsigned *count, unsigned *to, unsigned value)
{
    unsigned room = *count;
    *count = 1;
    if (room < 1)
        return SHORT;
    *to = value;
    return SUCCESS;
}

int nvmlDeviceGetActiveVgpus(void *of, unsigned *count, unsigned *to) { return of ? one(count, to, 77) : INVALID; }
int nvmlDeviceGetSupportedVgpus(void *of, unsigned *count, unsigned *to) { return of ? one(count, to, 5) : INVALID; }
int nvmlVgpuTypeGetName(unsigned type, char *to, unsigned *room)
{
    return type == 5 ? text(to, *room, "NVIDIA A40-8Q") : INVALID;
}
int nvmlVgpuInstanceGetType(unsigned of, unsigned *type) { *type = 5; return of == 77 ? SUCCESS : NOT_FOUND; }
int nvmlVgpuInstanceGetUUID(unsigned of, char *to, unsigned room)
{
    return of != 77 ? NOT_FOUND : room > 80 ? INVALID : text(to, room, "vgpu-long");
}
int nvmlVgpuInstanceGetVmID(unsigned of, char *to, unsigned room, unsigned *kind)
{
    *kind = 1;
    return of != 77 ? NOT_FOUND : room > 80 ? INVALID : text(to, room, "vm-long");
}

static int record(unsigned char *to, unsigned *room, unsigned opaque)
{
    unsigned given = *room, size = LONG_RECORD - opaque;
    *room = LONG_RECORD;
    if (given < LONG_RECORD)
        return SHORT;
    memset(to, 0xAB, LONG_RECORD);
    memset(to, 0, opaque);
    memcpy(to + opaque - 4, &size, 4);
    to[0] = 3;
    return SUCCESS;
}

int nvmlVgpuInstanceGetMetadata(unsigned of, unsigned char *to, unsigned *room)
{
    int code = of == 77 ? record(to, room, 208) : NOT_FOUND;
    if (code == SUCCESS) {
        unsigned held = 0x120001;
        to[8] = 1; /* the guest driver has reported */
        strcpy((char *)to + 12, "535.161.07");
        strcpy((char *)to + 92, "550.54.16");
        to[196] = 1;
        memcpy(to + 200, &held, 4);
    }
    return code;
}

int nvmlDeviceGetVgpuMetadata(void *of, unsigned char *to, unsigned *room)
{
    int code = of ? record(to, room, 124) : INVALID;
    if (code == SUCCESS) {
        unsigned range[2] = {0x70001, 0x140001};
        strcpy((char *)to + 8, "550.54.16");
        to[88] = 1;
        memcpy(to + 112, range, 8);
    }
    return code;
}

int nvmlGetVgpuVersion(unsigned supported[2], unsigned current[2])
{
    supported[0] = current[0] = 0x70001, supported[1] = current[1] = 0x140001;
    return SUCCESS;
}

/* COLD, limited by OTHER, if every byte of both records has come back. */
int nvmlGetVgpuCompatibility(const unsigned char *vgpu, const unsigned char *pgpu, unsigned to[2])
{
    for (unsigned at = 208; at < LONG_RECORD; at++)
        if (vgpu[at] != 0xAB || pgpu[at] != 0xAB)
            return INVALID;
    to[0] = 1, to[1] = 0x80000000u;
    return SUCCESS;
}
