/* Does what it is told, a word a line, and answers each with a line: NVML codes. For tests that do something to
   the host between two words. */
#include <nvml.h>

#include "guarded.h"

static nvmlDevice_t device;

static void all(void)
{
    unsigned char record[1024];
    char text[96];
    unsigned int size = sizeof record, count = 0, minimum = 0;
    nvmlMemory_t memory;
    nvmlVgpuVersion_t supported, current;
    nvmlVgpuPgpuCompatibility_t verdict;
    const int codes[] = {
        nvmlDeviceGetCount(&count),
        nvmlDeviceGetHandleByIndex(0, &device),
        nvmlDeviceGetName(device, text, sizeof text),
        nvmlDeviceGetMemoryInfo(device, &memory),
        nvmlDeviceGetVgpuMetadata(device, (nvmlVgpuPgpuMetadata_t *)record, &size),
        nvmlGetVgpuVersion(&supported, &current),
        nvmlSetVgpuVersion(&supported),
        nvmlSystemGetDriverVersion(text, sizeof text),
        nvmlSystemGetNVMLVersion(text, sizeof text),
        nvmlGetVgpuCompatibility(NULL, NULL, &verdict),
        nvmlDeviceGetBoardId(device, &minimum),
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        printf("%d ", codes[i]);
    printf("%s\n", nvmlErrorString(NVML_SUCCESS));
}

static int set(void)
{
    nvmlVgpuVersion_t range = {0x120001, 0x140001};
    return nvmlSetVgpuVersion(&range);
}

static void range(void)
{
    nvmlVgpuVersion_t supported = {0, 0}, current = {0, 0};
    int code = nvmlGetVgpuVersion(&supported, &current);
    printf("%d %x %x\n", code, current.minVersion, current.maxVersion);
}

int main(void)
{
    char word[32];
    while (scanf("%31s", word) == 1) {
        if (strcmp(word, "init") == 0)
            printf("%d\n", nvmlInit());
        else if (strcmp(word, "shutdown") == 0)
            printf("%d\n", nvmlShutdown());
        else if (strcmp(word, "set") == 0)
            printf("%d\n", set());
        else if (strcmp(word, "range") == 0)
            range();
        else
            all();
        fflush(stdout);
    }
    return 0;
}
