/* The rules are the host's: it compiles its table into the snapshot, and this file only runs that program. How the
   records' reserved words are read is said in vgpu_migrate.compat.record; a test compares both readings. */
#include "compatibility.h"

#define ECC (1u << 0)
#define SRIOV (1u << 1)
#define HAS_SOURCE (1u << 2)  /* in a vgpu's word: ECC, SR-IOV and MIG layout of its gpu are there */
#define LISTS_TYPES (1u << 2) /* in a gpu's word */
#define MIG_SHIFT 3
#define MIG_INSTANCES 7
#define MIG_BITS 3
#define MIG_MASK ((1u << MIG_INSTANCES * MIG_BITS) - 1)
#define BOARD_SHIFT 24
#define TYPES_MASK_SIZE 16 /* at the end of the driver string's bytes */
#define MIGRATION 1u
#define ALL_STATES 15u

_Static_assert(FIELDS <= 32, "one bit a field");

/* The fields that rules name, as numbers. A field that is not known takes part in no comparison. */
struct traits {
    uint32_t value[FIELDS];
    uint32_t known;
    uint8_t type_bit; /* the vgpu's type among its board's */
    unsigned char types[TYPES_MASK_SIZE];
};

static void set(struct traits *traits, enum vgm_field field, uint32_t value)
{
    traits->value[field] = value;
    traits->known |= 1u << field;
}

static void set_unless_zero(struct traits *traits, enum vgm_field field, uint32_t value)
{
    if (value != 0)
        set(traits, field, value);
}

/* The slices of a layout side by side: a gap between GPU instances means nothing. */
static uint32_t mig_layout(uint32_t configuration)
{
    uint32_t slots = configuration >> MIG_SHIFT & MIG_MASK, layout = 0;
    for (unsigned int shift = 0; slots != 0; slots >>= MIG_BITS)
        if (slots & 7) {
            layout |= (slots & 7) << shift;
            shift += MIG_BITS;
        }
    return layout;
}

/* A driver version of a record: ASCII, with a NUL. Its length, or -1. */
static int driver_length(const char *text)
{
    for (int length = 0; length < NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE; length++) {
        if (text[length] == '\0')
            return length;
        if ((unsigned char)text[length] > 127)
            return -1;
    }
    return -1;
}

static const struct vgm_word *find_word(const struct vgm_view *view, uint32_t word)
{
    uint32_t low = 0, high = view->words_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t there = ONCE(view->words[middle].word);
        if (there == word)
            return &view->words[middle];
        if (there < word)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool read_vgpu(const struct vgm_view *view, const nvmlVgpuMetadata_t *record, struct traits *traits)
{
    if (record->version != view->record_version || record->reserved[0] != view->vgpu_magic)
        return false;
    if ((uint32_t)record->guestInfoState > 1 || driver_length(record->guestDriverVersion) < 0 ||
        driver_length(record->hostDriverVersion) < 0)
        return false;
    const struct vgm_word *type = find_word(view, record->reserved[1]);
    if (type == NULL)
        return false;
    bool has_reported = record->guestInfoState == 1;
    uint32_t configuration = record->reserved[2];
    traits->type_bit = type->bit;
    set(traits, FIELD_VGPU_BOARD, type->board_row);
    set(traits, FIELD_VGPU_TYPE, 0);
    set(traits, FIELD_VGPU_MIG_BACKED, type->mig_backed != 0);
    set(traits, FIELD_VGPU_GUEST_INFO, has_reported);
    set(traits, FIELD_VGPU_MIGRATION, record->vgpuVirtualizationCaps & MIGRATION);
    if (has_reported) {
        set(traits, FIELD_VGPU_VERSION, record->guestVgpuVersion);
        set_unless_zero(traits, FIELD_VGPU_GUEST_MIN, record->reserved[4]);
        set_unless_zero(traits, FIELD_VGPU_GUEST_MAX, record->reserved[5]);
    }
    if (configuration & HAS_SOURCE) {
        set(traits, FIELD_VGPU_HOST_DRIVER, 0);
        set(traits, FIELD_VGPU_ECC, (configuration & ECC) != 0);
        set(traits, FIELD_VGPU_SRIOV, (configuration & SRIOV) != 0);
        set(traits, FIELD_VGPU_TOPOLOGY, record->reserved[3]);
        set(traits, FIELD_VGPU_MIG, mig_layout(configuration));
    }
    return true;
}

static bool read_gpu(const struct vgm_view *view, const nvmlVgpuPgpuMetadata_t *record, struct traits *traits)
{
    int length = driver_length(record->hostDriverVersion);
    if (record->version != view->record_version || record->reserved[0] != view->pgpu_magic || length < 0)
        return false;
    uint32_t configuration = record->reserved[1], board = configuration >> BOARD_SHIFT;
    const nvmlVgpuVersion_t *range = &record->hostSupportedVgpuRange;
    if (board >= view->boards_count)
        return false;
    set(traits, FIELD_GPU_BOARD, board);
    set(traits, FIELD_GPU_MIG, mig_layout(configuration));
    set(traits, FIELD_GPU_MIG_ENABLED, traits->value[FIELD_GPU_MIG] != 0);
    if (configuration & LISTS_TYPES)
        set(traits, FIELD_GPU_TYPES, 0);
    if (range->minVersion != 0 || range->maxVersion != 0) {
        set(traits, FIELD_GPU_RANGE_MIN, range->minVersion);
        set(traits, FIELD_GPU_RANGE_MAX, range->maxVersion);
    }
    if (record->reserved[3] != 0 || record->reserved[4] != 0) {
        set(traits, FIELD_GPU_PRESET_MIN, record->reserved[3]);
        set(traits, FIELD_GPU_PRESET_MAX, record->reserved[4]);
    }
    set(traits, FIELD_GPU_ECC, (configuration & ECC) != 0);
    set(traits, FIELD_GPU_SRIOV, (configuration & SRIOV) != 0);
    set(traits, FIELD_GPU_TOPOLOGY, record->reserved[2]);
    set(traits, FIELD_GPU_MIGRATION, record->pgpuVirtualizationCaps & MIGRATION);
    /* A driver string that reaches into the mask's bytes leaves no room for one. */
    size_t free_from = sizeof record->hostDriverVersion - TYPES_MASK_SIZE;
    if ((size_t)length < free_from)
        memcpy(traits->types, record->hostDriverVersion + free_from, TYPES_MASK_SIZE);
    return true;
}

/* What a fresh negotiation on the target would give: the maximum of both ranges' intersection. */
static void negotiate(struct traits *traits)
{
    const uint32_t needed = 1u << FIELD_VGPU_GUEST_MAX | 1u << FIELD_GPU_RANGE_MIN;
    if ((traits->known & needed) != needed)
        return;
    uint32_t guest_min = traits->value[FIELD_VGPU_GUEST_MIN], guest_max = traits->value[FIELD_VGPU_GUEST_MAX];
    uint32_t range_min = traits->value[FIELD_GPU_RANGE_MIN], range_max = traits->value[FIELD_GPU_RANGE_MAX];
    uint32_t highest = guest_max < range_max ? guest_max : range_max;
    if (highest >= guest_min && highest >= range_min)
        set(traits, FIELD_PAIR_RENEGOTIATED, highest);
}

static bool is_listed(const struct traits *traits)
{
    return traits->value[FIELD_VGPU_BOARD] == traits->value[FIELD_GPU_BOARD] &&
           traits->type_bit < TYPES_MASK_SIZE * 8 &&
           (traits->types[traits->type_bit / 8] >> traits->type_bit % 8 & 1) != 0;
}

static bool holds(const struct vgm_comparison *comparison, const struct traits *traits)
{
    uint8_t left_field = comparison->left, right_field = comparison->right;
    if (left_field >= FIELDS || (right_field >= FIELDS && right_field != VGM_CONSTANT_OPERAND))
        return false;
    bool is_known = traits->known >> left_field & 1;
    if (comparison->operator == OPERATOR_IS_KNOWN)
        return is_known;
    if (comparison->operator == OPERATOR_IS_UNKNOWN)
        return !is_known;
    uint32_t left = traits->value[left_field], right = comparison->constant;
    if (right_field != VGM_CONSTANT_OPERAND) {
        right = traits->value[right_field];
        is_known = is_known && traits->known >> right_field & 1;
    }
    if (!is_known)
        return false;
    switch (comparison->operator) {
    case OPERATOR_EQUAL:
        return left == right;
    case OPERATOR_NOT_EQUAL:
        return left != right;
    case OPERATOR_LESS:
        return left < right;
    case OPERATOR_AT_MOST:
        return left <= right;
    case OPERATOR_GREATER:
        return left > right;
    case OPERATOR_AT_LEAST:
        return left >= right;
    case OPERATOR_NOT_IN:
        return !is_listed(traits);
    default:
        return false;
    }
}

/* Whether one of a rule's alternatives holds; all of an alternative's comparisons hold together. */
static bool hits(const struct vgm_view *view, const struct vgm_rule *rule, const struct traits *traits)
{
    bool is_holding = true;
    for (uint32_t i = rule->first; i < rule->first + rule->count; i++) {
        const struct vgm_comparison *comparison = &view->comparisons[i];
        is_holding = is_holding && holds(comparison, traits);
        if (comparison->ends) {
            if (is_holding)
                return true;
            is_holding = true;
        }
    }
    return false;
}

nvmlReturn_t vgm_judge(const struct vgm_view *view, const void *vgpu_record, const void *gpu_record,
                       struct vgm_verdict *verdict)
{
    nvmlVgpuMetadata_t vgpu;
    nvmlVgpuPgpuMetadata_t gpu;
    struct traits traits = {.known = 0};
    memcpy(&vgpu, vgpu_record, sizeof vgpu);
    memcpy(&gpu, gpu_record, sizeof gpu);
    if (!read_vgpu(view, &vgpu, &traits) || !read_gpu(view, &gpu, &traits))
        return NVML_ERROR_INVALID_ARGUMENT;
    set(&traits, FIELD_GPU_HOST_DRIVER, strcmp(vgpu.hostDriverVersion, gpu.hostDriverVersion) != 0);
    negotiate(&traits);
    *verdict = (struct vgm_verdict){.states = ALL_STATES, .limits = 0};
    for (uint32_t i = 0; i < view->rules_count; i++) {
        struct vgm_rule rule = view->rules[i];
        if (rule.first > view->comparisons_count || rule.count > view->comparisons_count - rule.first)
            return NVML_ERROR_UNKNOWN;
        if (hits(view, &rule, &traits)) {
            verdict->states &= rule.leaves;
            verdict->limits |= rule.limit;
        }
    }
    return NVML_SUCCESS;
}
