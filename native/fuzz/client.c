#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

typedef int (*function_t)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

/* Declared without prototypes on purpose: arguments are made from the table, all of them integers or pointers,
   which travel alike on every machine that we build for. */
#define DECLARE(name, shape) extern void name(void);
FUZZ_CALLS(DECLARE)
extern const char *nvmlErrorString(int code);

static const struct {
    const char *name, *shape;
    void (*function)(void);
} calls[] = {
#define ROW(name, shape) {#name, shape, name},
    FUZZ_CALLS(ROW)};

#define CALLS (sizeof calls / sizeof *calls)
#define MOST_ARGUMENTS 8
#define MOST_BUFFERS 16
#define GPUS 20u
#define INSTANCES 40u
#define VERSION_OF(bytes, version) ((uint32_t)(bytes) | (uint32_t)(version) << 24)
#define VM_ID_ROOM 80u /* real clients say more, and have no more */

struct call {
    struct input *input;
    const char *name;
    uint64_t arguments[MOST_ARGUMENTS];
    unsigned count;
    void *buffers[MOST_BUFFERS];
    unsigned buffers_count;
    char *text; /* where a text is to be written, and its room */
    uint64_t text_room;
};

static struct {
    uint64_t devices[GPUS];
    char uuids[GPUS][96], buses[GPUS][32];
    unsigned char vgpu_records[INSTANCES][212], gpu_records[GPUS][128];
    uint32_t types[256];
    unsigned gpus, vgpu_records_count, gpu_records_count, types_count;
} known;

static unsigned initialisations;

uint64_t take(struct input *input, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes && input->at < input->end; i++)
        number |= (uint64_t)*input->at++ << 8 * i;
    return number;
}

bool is_at_end(const struct input *input)
{
    return input->at >= input->end;
}

static int find(const char *name)
{
    for (unsigned i = 0; i < CALLS; i++)
        if (strcmp(calls[i].name, name) == 0)
            return (int)i;
    abort();
}

static int call_by_name(const char *name, uint64_t a, uint64_t b, uint64_t c)
{
    return ((function_t)calls[find(name)].function)(a, b, c, 0, 0, 0, 0, 0);
}

static uint64_t address(const void *place)
{
    return (uint64_t)(uintptr_t)place;
}

int client_init(void)
{
    int code = call_by_name("nvmlInit_v2", 0, 0, 0);
    initialisations += code == 0;
    return code;
}

void client_notice(void)
{
    /* Only a call of an initialised program looks; without one an init does, and fails. */
    if (initialisations == 0)
        client_init();
    call_by_name("nvmlDeviceGetCount_v2", 0, 0, 0);
    client_end();
}

void client_end(void)
{
    while (initialisations > 0) {
        call_by_name("nvmlShutdown", 0, 0, 0);
        initialisations--;
    }
}

static void learn_gpu(uint32_t index)
{
    unsigned char pci[68];
    uint32_t size = 128;
    uint64_t device = 0;
    if (call_by_name("nvmlDeviceGetHandleByIndex_v2", index, address(&device), 0) != 0)
        return;
    known.devices[known.gpus] = device;
    call_by_name("nvmlDeviceGetUUID", device, address(known.uuids[known.gpus]), 96);
    if (call_by_name("nvmlDeviceGetPciInfo_v3", device, address(pci), 0) == 0)
        memcpy(known.buses[known.gpus], pci + 36, 32); /* behind the legacy id of 16 bytes and five words */
    known.gpus++;
    if (call_by_name("nvmlDeviceGetVgpuMetadata", device, address(known.gpu_records[known.gpu_records_count]),
                     address(&size)) == 0)
        known.gpu_records_count++;
    uint32_t count = 256;
    if (known.types_count == 0 &&
        call_by_name("nvmlDeviceGetSupportedVgpus", device, address(&count), address(known.types)) == 0)
        known.types_count = count;
}

void client_learn(void)
{
    memset(&known, 0, sizeof known);
    for (uint32_t index = 0; index < GPUS; index++)
        learn_gpu(index);
    for (uint32_t handle = 1; handle <= INSTANCES; handle++) {
        uint32_t size = 212;
        if (call_by_name("nvmlVgpuInstanceGetMetadata", handle,
                         address(known.vgpu_records[known.vgpu_records_count]), address(&size)) == 0)
            known.vgpu_records_count++;
    }
}

static void *room(struct call *call, size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL || call->buffers_count == MOST_BUFFERS)
        abort();
    memset(memory, 0xA5, size);
    call->buffers[call->buffers_count++] = memory;
    return memory;
}

static void add(struct call *call, uint64_t argument)
{
    if (call->count == MOST_ARGUMENTS)
        abort();
    call->arguments[call->count++] = argument;
}

static uint64_t a_device(struct input *input)
{
    unsigned how = (unsigned)take(input, 1);
    if (how < 0xF0)
        return known.gpus > 0 ? known.devices[how % known.gpus] : 0;
    switch (how & 3) {
    case 0: return 0;
    case 1: return known.devices[0] + 1;
    case 2: return known.devices[0] + (uint64_t)known.gpus * 16;
    default: return take(input, 8);
    }
}

static uint64_t a_word(struct input *input)
{
    unsigned how = (unsigned)take(input, 1);
    if (how < 0x80)
        return how % 16;
    if (how < 0xC0)
        return how == 0x80 ? UINT32_MAX : take(input, 1);
    return take(input, 4);
}

static uint64_t a_text(struct call *call)
{
    struct input *input = call->input;
    unsigned how = (unsigned)take(input, 1);
    const char *from = how & 1 ? known.uuids[(how >> 2) % GPUS] : known.buses[(how >> 2) % GPUS];
    char made[64];
    if (how == 0xFF)
        return 0;
    if (how & 2) {
        size_t length = (how >> 2) % sizeof made;
        for (size_t i = 0; i < length; i++)
            made[i] = (char)take(input, 1);
        made[length] = '\0';
        from = made;
    }
    char *text = room(call, strlen(from) + 1);
    strcpy(text, from);
    if (how & 0x80 && *from != '\0')
        text[take(input, 1) % strlen(from)] = (char)take(input, 1);
    return address(text);
}

/* The pointers inside a structure are part of its honesty. */
static void point_inside(struct call *call, unsigned char *structure)
{
    size_t place, size;
    uint32_t count;
    if (strstr(call->name, "TypeSupportedPlacements") || strstr(call->name, "TypeCreatablePlacements")) {
        place = 16, size = sizeof(uint32_t);
    } else if (strcmp(call->name, "nvmlDeviceGetVgpuInstancesUtilizationInfo") == 0) {
        place = 24, size = 64;
    } else {
        return;
    }
    memcpy(&count, structure + 8, sizeof count);
    count %= 80;
    memcpy(structure + 8, &count, sizeof count);
    uint32_t version;
    memcpy(&version, structure, sizeof version);
    if (size == sizeof(uint32_t) && version == VERSION_OF(24, 1))
        count = 48; /* version 1 says no count: there is room for all that a gpu can have */
    void *array = take(call->input, 1) == 0 ? NULL : room(call, count * size);
    memcpy(structure + place, &array, sizeof array);
}

/* An nvmlUUID_t of either type that names a gpu. */
static void fill_uuid(unsigned char *memory, unsigned how)
{
    const char *uuid = known.uuids[how % GPUS];
    uint32_t type = 1 + (how >> 3 & 1);
    memcpy(memory + 4, &type, sizeof type);
    if (type == 1) {
        memcpy(memory + 8, uuid, 41);
        return;
    }
    unsigned nibbles = 0;
    for (const char *at = uuid + 4; uuid[0] != '\0' && *at != '\0' && nibbles < 32; at++)
        if (*at != '-') {
            unsigned digit = (unsigned)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
            memory[8 + nibbles / 2] = (unsigned char)(memory[8 + nibbles / 2] << 4 | digit);
            nibbles++;
        }
}

/* A driver's version that fills its place, or leaves just a little of it. */
static void fill_driver(unsigned char *memory, size_t size, unsigned which)
{
    size_t place = size == 128 ? 8 : which & 1 ? 12 : 92;
    memset(memory + place, 'x', which & 2 ? 80 : 76);
}

static void fill(struct call *call, unsigned char *memory, size_t size)
{
    struct input *input = call->input;
    unsigned how = (unsigned)take(input, 1);
    memset(memory, how & 0x80 ? 0xFF : 0, size);
    if (size == 212 && known.vgpu_records_count > 0 && how < 0xC0)
        memcpy(memory, known.vgpu_records[how % known.vgpu_records_count], size);
    if (size == 128 && known.gpu_records_count > 0 && how < 0xC0)
        memcpy(memory, known.gpu_records[how % known.gpu_records_count], size);
    for (unsigned changes = (how >> 4) & 3; changes > 0; changes--) {
        size_t place = (size_t)take(input, 1) % size;
        uint64_t value = take(input, 4);
        memcpy(memory + place, &value, size - place < 4 ? size - place : 4);
    }
    if (size >= 4 && size != 212 && size != 128 && how & 0x40) {
        unsigned which = how & 3;
        uint32_t version = VERSION_OF(which == 3 ? 24 : size, which == 3 ? 1 : which + 1);
        memcpy(memory, &version, sizeof version);
    }
    if (size == 52 && how & 0x20)
        fill_uuid(memory, how);
    if ((size == 212 || size == 128) && (how & 0x30) == 0x30)
        fill_driver(memory, size, how);
}

static uint64_t a_structure(struct call *call, size_t size)
{
    if (take(call->input, 1) == 0xFF)
        return 0;
    unsigned char *memory = room(call, size);
    fill(call, memory, size);
    if (size >= 32)
        point_inside(call, memory);
    return address(memory);
}

static void a_text_buffer(struct call *call)
{
    struct input *input = call->input;
    unsigned how = (unsigned)take(input, 1);
    uint64_t size = how & 0x80 ? 96 : how, there = size;
    if (how == 0xFF)
        size = 128;
    if (strcmp(call->name, "nvmlVgpuInstanceGetVmID") == 0 && there > VM_ID_ROOM)
        there = VM_ID_ROOM;
    if (how == 0xFE) {
        add(call, 0);
    } else {
        call->text = room(call, (size_t)there);
        call->text_room = there;
        add(call, address(call->text));
    }
    add(call, size);
}

/* A pointer to a number of elements, or of bytes, and the elements: both orders. */
static void a_counted_array(struct call *call, size_t element, bool count_comes_first)
{
    struct input *input = call->input;
    unsigned how = (unsigned)take(input, 1);
    uint32_t count = element == 1 || !count_comes_first ? (uint32_t)take(input, 2) % 600 : how % 64;
    if (how == 0xFC && element == 212)
        count = 212;
    if (how == 0xFD && element == 128)
        count = 128;
    uint32_t *counter = how == 0xFF ? NULL : room(call, sizeof *counter);
    void *array = how == 0xFE ? NULL : room(call, count_comes_first ? count * element : count);
    if (counter != NULL)
        *counter = count;
    add(call, address(count_comes_first ? (void *)counter : array));
    add(call, address(count_comes_first ? array : (void *)counter));
}

static void make_arguments(struct call *call, const char *shape)
{
    for (const char *word = shape; *word != '\0'; word = strchr(word, ' ') ? strchr(word, ' ') + 1 : "") {
        size_t size = (size_t)strtoul(word + 1, NULL, 10);
        switch (*word) {
        case 'd': add(call, a_device(call->input)); break;
        case 'i': add(call, a_word(call->input)); break;
        case 't': {
            unsigned how = (unsigned)take(call->input, 1);
            add(call, known.types_count > 0 && how < 0xF8 ? known.types[how % known.types_count] : take(call->input, 4));
            break;
        }
        case 'w': add(call, a_word(call->input)); break;
        case 'q':
        case 'h': add(call, take(call->input, 8)); break;
        case 's': add(call, a_text(call)); break;
        case 'p': add(call, a_structure(call, size)); break;
        case 'c': a_text_buffer(call), word = strchr(word, ' ') + 1; break;
        case 'n': word = strchr(word, ' ') + 1, a_counted_array(call, strtoul(word + 1, NULL, 10), true); break;
        case 'b': a_counted_array(call, size, false), word = strchr(word, ' ') + 1; break;
        default: abort();
        }
    }
}

static void expect(bool condition, const struct call *call, int code, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s answered %d: %s\n", call->name, code, what);
    abort();
}

static void check(const struct call *call, int code, unsigned before, bool is_sane)
{
    const char *said = nvmlErrorString(code);
    expect(said != NULL && strlen(said) > 0, call, code, "nvmlErrorString has no words");
    bool is_open_to_all = strcmp(call->name, "nvmlSystemGetNVMLVersion") == 0 || strncmp(call->name, "nvmlInit", 8) == 0;
    expect(before > 0 || is_open_to_all || code == 1, call, code, "before init, wanted 1");
    if (code == 0 && call->text != NULL && call->text_room > 0)
        expect(memchr(call->text, 0, (size_t)call->text_room) != NULL, call, code, "its text has no end");
    if (is_sane)
        expect((code >= 0 && code <= 30) || code == 999, call, code, "that is no code of NVML");
}

void client_call(struct input *input, bool is_sane)
{
    struct call call = {.input = input};
    unsigned number = (unsigned)take(input, 2) % CALLS, before = initialisations;
    call.name = calls[number].name;
    make_arguments(&call, calls[number].shape);
    const uint64_t *a = call.arguments;
    int code = ((function_t)calls[number].function)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
    if (code == 0 && strncmp(call.name, "nvmlInit", 8) == 0 && strcmp(call.name, "nvmlInternalGetExportTable") != 0)
        initialisations++;
    if (code == 0 && strcmp(call.name, "nvmlShutdown") == 0)
        initialisations--;
    check(&call, code, before, is_sane);
    while (call.buffers_count > 0)
        free(call.buffers[--call.buffers_count]);
}
