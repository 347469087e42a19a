/* The snapshot, byte for byte. Made by tools/make_native_headers.py from snapshot/layout.py, which
   says what everything means. */
#ifndef VGM_LAYOUT_H
#define VGM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define VGM_MAGIC "VGMSNAP"
#define VGM_LAYOUT_VERSION 1u
#define VGM_NO_PLACEMENT 0xffffu
#define VGM_ANY 0xffffffffu
#define VGM_HEARTBEAT_LIMIT_MS 900u
#define VGM_COUNTERS 256u
#define VGM_CONSTANT_OPERAND 0xffu
#define VGM_MESSAGE_MAGIC 0x6d4d4756u
#define VGM_ATTACH 1u
#define VGM_CALL 2u

enum vgm_operator {
    OPERATOR_EQUAL = 0,
    OPERATOR_NOT_EQUAL = 1,
    OPERATOR_LESS = 2,
    OPERATOR_AT_MOST = 3,
    OPERATOR_GREATER = 4,
    OPERATOR_AT_LEAST = 5,
    OPERATOR_NOT_IN = 6,
    OPERATOR_IS_KNOWN = 7,
    OPERATOR_IS_UNKNOWN = 8,
    OPERATORS = 9
};

enum vgm_field {
    FIELD_VGPU_BOARD = 0,
    FIELD_VGPU_TYPE = 1,
    FIELD_VGPU_MIG_BACKED = 2,
    FIELD_VGPU_GUEST_INFO = 3,
    FIELD_VGPU_VERSION = 4,
    FIELD_VGPU_GUEST_MIN = 5,
    FIELD_VGPU_GUEST_MAX = 6,
    FIELD_VGPU_HOST_DRIVER = 7,
    FIELD_VGPU_ECC = 8,
    FIELD_VGPU_SRIOV = 9,
    FIELD_VGPU_TOPOLOGY = 10,
    FIELD_VGPU_MIG = 11,
    FIELD_VGPU_MIGRATION = 12,
    FIELD_GPU_BOARD = 13,
    FIELD_GPU_MIG_ENABLED = 14,
    FIELD_GPU_TYPES = 15,
    FIELD_GPU_RANGE_MIN = 16,
    FIELD_GPU_RANGE_MAX = 17,
    FIELD_GPU_PRESET_MIN = 18,
    FIELD_GPU_PRESET_MAX = 19,
    FIELD_GPU_HOST_DRIVER = 20,
    FIELD_GPU_ECC = 21,
    FIELD_GPU_SRIOV = 22,
    FIELD_GPU_TOPOLOGY = 23,
    FIELD_GPU_MIG = 24,
    FIELD_GPU_MIGRATION = 25,
    FIELD_PAIR_RENEGOTIATED = 26,
    FIELDS = 27
};

/* the first page */
struct vgm_header {
    unsigned char magic[8];
    uint32_t layout_version;
    uint32_t header_size;
    uint64_t total_size;
    uint64_t static_offset;
    uint64_t static_size;
    uint64_t slot_offset[2];
    uint64_t slot_size;
    uint64_t incarnation;
    unsigned char fill_0[56];
    uint64_t generation;
    unsigned char fill_1[56];
    uint64_t heartbeat_ms;
    uint32_t gone;
    unsigned char fill_2[52];
};
_Static_assert(sizeof(struct vgm_header) == 256, "header");
_Static_assert(offsetof(struct vgm_header, magic) == 0, "header.magic");
_Static_assert(offsetof(struct vgm_header, layout_version) == 8, "header.layout_version");
_Static_assert(offsetof(struct vgm_header, header_size) == 12, "header.header_size");
_Static_assert(offsetof(struct vgm_header, total_size) == 16, "header.total_size");
_Static_assert(offsetof(struct vgm_header, static_offset) == 24, "header.static_offset");
_Static_assert(offsetof(struct vgm_header, static_size) == 32, "header.static_size");
_Static_assert(offsetof(struct vgm_header, slot_offset) == 40, "header.slot_offset");
_Static_assert(offsetof(struct vgm_header, slot_size) == 56, "header.slot_size");
_Static_assert(offsetof(struct vgm_header, incarnation) == 64, "header.incarnation");
_Static_assert(offsetof(struct vgm_header, fill_0) == 72, "header.fill_0");
_Static_assert(offsetof(struct vgm_header, generation) == 128, "header.generation");
_Static_assert(offsetof(struct vgm_header, fill_1) == 136, "header.fill_1");
_Static_assert(offsetof(struct vgm_header, heartbeat_ms) == 192, "header.heartbeat_ms");
_Static_assert(offsetof(struct vgm_header, gone) == 200, "header.gone");
_Static_assert(offsetof(struct vgm_header, fill_2) == 204, "header.fill_2");

/* the head of the static part; every offset counts from the start of the snapshot */
struct vgm_static {
    uint64_t types_offset;
    uint64_t words_offset;
    uint64_t rules_offset;
    uint64_t comparisons_offset;
    uint64_t pool_offset;
    uint32_t types_count;
    uint32_t words_count;
    uint32_t rules_count;
    uint32_t comparisons_count;
    uint32_t pool_count;
    uint32_t boards_count;
    uint32_t vgpu_magic;
    uint32_t pgpu_magic;
    uint32_t record_version;
    uint32_t fill;
};
_Static_assert(sizeof(struct vgm_static) == 80, "static");
_Static_assert(offsetof(struct vgm_static, types_offset) == 0, "static.types_offset");
_Static_assert(offsetof(struct vgm_static, words_offset) == 8, "static.words_offset");
_Static_assert(offsetof(struct vgm_static, rules_offset) == 16, "static.rules_offset");
_Static_assert(offsetof(struct vgm_static, comparisons_offset) == 24, "static.comparisons_offset");
_Static_assert(offsetof(struct vgm_static, pool_offset) == 32, "static.pool_offset");
_Static_assert(offsetof(struct vgm_static, types_count) == 40, "static.types_count");
_Static_assert(offsetof(struct vgm_static, words_count) == 44, "static.words_count");
_Static_assert(offsetof(struct vgm_static, rules_count) == 48, "static.rules_count");
_Static_assert(offsetof(struct vgm_static, comparisons_count) == 52, "static.comparisons_count");
_Static_assert(offsetof(struct vgm_static, pool_count) == 56, "static.pool_count");
_Static_assert(offsetof(struct vgm_static, boards_count) == 60, "static.boards_count");
_Static_assert(offsetof(struct vgm_static, vgpu_magic) == 64, "static.vgpu_magic");
_Static_assert(offsetof(struct vgm_static, pgpu_magic) == 68, "static.pgpu_magic");
_Static_assert(offsetof(struct vgm_static, record_version) == 72, "static.record_version");
_Static_assert(offsetof(struct vgm_static, fill) == 76, "static.fill");

/* a vgpu type of a board that the host has; in order of type id */
struct vgm_type {
    uint64_t framebuffer_bytes;
    uint64_t device_id;
    uint64_t subsystem_id;
    uint64_t gsp_heap_bytes;
    uint64_t fb_reservation_bytes;
    uint64_t bar1_bytes;
    uint32_t id;
    uint32_t board_row;
    uint32_t max_instances;
    uint32_t max_instances_per_vm;
    uint32_t heads;
    uint32_t max_x;
    uint32_t max_y;
    uint32_t frame_rate_limit;
    uint32_t gpu_instance_profile;
    uint32_t capabilities;
    uint32_t placement_size;
    uint32_t placements_first;
    uint32_t placements_count;
    uint32_t max_per_gpu_instance;
    char name[64];
    char class_name[64];
    char license[128];
};
_Static_assert(sizeof(struct vgm_type) == 360, "type");
_Static_assert(offsetof(struct vgm_type, framebuffer_bytes) == 0, "type.framebuffer_bytes");
_Static_assert(offsetof(struct vgm_type, device_id) == 8, "type.device_id");
_Static_assert(offsetof(struct vgm_type, subsystem_id) == 16, "type.subsystem_id");
_Static_assert(offsetof(struct vgm_type, gsp_heap_bytes) == 24, "type.gsp_heap_bytes");
_Static_assert(offsetof(struct vgm_type, fb_reservation_bytes) == 32, "type.fb_reservation_bytes");
_Static_assert(offsetof(struct vgm_type, bar1_bytes) == 40, "type.bar1_bytes");
_Static_assert(offsetof(struct vgm_type, id) == 48, "type.id");
_Static_assert(offsetof(struct vgm_type, board_row) == 52, "type.board_row");
_Static_assert(offsetof(struct vgm_type, max_instances) == 56, "type.max_instances");
_Static_assert(offsetof(struct vgm_type, max_instances_per_vm) == 60, "type.max_instances_per_vm");
_Static_assert(offsetof(struct vgm_type, heads) == 64, "type.heads");
_Static_assert(offsetof(struct vgm_type, max_x) == 68, "type.max_x");
_Static_assert(offsetof(struct vgm_type, max_y) == 72, "type.max_y");
_Static_assert(offsetof(struct vgm_type, frame_rate_limit) == 76, "type.frame_rate_limit");
_Static_assert(offsetof(struct vgm_type, gpu_instance_profile) == 80, "type.gpu_instance_profile");
_Static_assert(offsetof(struct vgm_type, capabilities) == 84, "type.capabilities");
_Static_assert(offsetof(struct vgm_type, placement_size) == 88, "type.placement_size");
_Static_assert(offsetof(struct vgm_type, placements_first) == 92, "type.placements_first");
_Static_assert(offsetof(struct vgm_type, placements_count) == 96, "type.placements_count");
_Static_assert(offsetof(struct vgm_type, max_per_gpu_instance) == 100, "type.max_per_gpu_instance");
_Static_assert(offsetof(struct vgm_type, name) == 104, "type.name");
_Static_assert(offsetof(struct vgm_type, class_name) == 168, "type.class_name");
_Static_assert(offsetof(struct vgm_type, license) == 232, "type.license");

/* a vgpu type as metadata records name it; all types there are, in order of word */
struct vgm_word {
    uint32_t word;
    uint16_t board_row;
    uint8_t bit;
    uint8_t mig_backed;
};
_Static_assert(sizeof(struct vgm_word) == 8, "word");
_Static_assert(offsetof(struct vgm_word, word) == 0, "word.word");
_Static_assert(offsetof(struct vgm_word, board_row) == 4, "word.board_row");
_Static_assert(offsetof(struct vgm_word, bit) == 6, "word.bit");
_Static_assert(offsetof(struct vgm_word, mig_backed) == 7, "word.mig_backed");

/* a row of the rule table that the host's profile has */
struct vgm_rule {
    uint32_t first;
    uint32_t count;
    uint32_t leaves;
    uint32_t limit;
};
_Static_assert(sizeof(struct vgm_rule) == 16, "rule");
_Static_assert(offsetof(struct vgm_rule, first) == 0, "rule.first");
_Static_assert(offsetof(struct vgm_rule, count) == 4, "rule.count");
_Static_assert(offsetof(struct vgm_rule, leaves) == 8, "rule.leaves");
_Static_assert(offsetof(struct vgm_rule, limit) == 12, "rule.limit");

/* one comparison of a rule's condition; those of an alternative hold together */
struct vgm_comparison {
    uint8_t left;
    uint8_t operator;
    uint8_t right;
    uint8_t ends;
    uint32_t constant;
};
_Static_assert(sizeof(struct vgm_comparison) == 8, "comparison");
_Static_assert(offsetof(struct vgm_comparison, left) == 0, "comparison.left");
_Static_assert(offsetof(struct vgm_comparison, operator) == 1, "comparison.operator");
_Static_assert(offsetof(struct vgm_comparison, right) == 2, "comparison.right");
_Static_assert(offsetof(struct vgm_comparison, ends) == 3, "comparison.ends");
_Static_assert(offsetof(struct vgm_comparison, constant) == 4, "comparison.constant");

/* the head of a slot; every offset counts from the start of the snapshot */
struct vgm_host {
    uint64_t gpus_offset;
    uint64_t instances_offset;
    uint64_t index_offset;
    uint64_t type_rooms_offset;
    uint64_t pool_offset;
    uint64_t faults_offset;
    uint32_t gpus_count;
    uint32_t instances_count;
    uint32_t index_mask;
    uint32_t type_rooms_count;
    uint32_t pool_count;
    uint32_t faults_count;
    uint32_t driver_major;
    uint32_t has_manager;
    uint32_t range_known;
    uint32_t preset_min;
    uint32_t preset_max;
    uint32_t range_min;
    uint32_t range_max;
    uint32_t cuda_version;
    uint32_t driver_capabilities;
    uint32_t fill;
    char driver[80];
    char nvml[80];
    char branch[80];
};
_Static_assert(sizeof(struct vgm_host) == 352, "host");
_Static_assert(offsetof(struct vgm_host, gpus_offset) == 0, "host.gpus_offset");
_Static_assert(offsetof(struct vgm_host, instances_offset) == 8, "host.instances_offset");
_Static_assert(offsetof(struct vgm_host, index_offset) == 16, "host.index_offset");
_Static_assert(offsetof(struct vgm_host, type_rooms_offset) == 24, "host.type_rooms_offset");
_Static_assert(offsetof(struct vgm_host, pool_offset) == 32, "host.pool_offset");
_Static_assert(offsetof(struct vgm_host, faults_offset) == 40, "host.faults_offset");
_Static_assert(offsetof(struct vgm_host, gpus_count) == 48, "host.gpus_count");
_Static_assert(offsetof(struct vgm_host, instances_count) == 52, "host.instances_count");
_Static_assert(offsetof(struct vgm_host, index_mask) == 56, "host.index_mask");
_Static_assert(offsetof(struct vgm_host, type_rooms_count) == 60, "host.type_rooms_count");
_Static_assert(offsetof(struct vgm_host, pool_count) == 64, "host.pool_count");
_Static_assert(offsetof(struct vgm_host, faults_count) == 68, "host.faults_count");
_Static_assert(offsetof(struct vgm_host, driver_major) == 72, "host.driver_major");
_Static_assert(offsetof(struct vgm_host, has_manager) == 76, "host.has_manager");
_Static_assert(offsetof(struct vgm_host, range_known) == 80, "host.range_known");
_Static_assert(offsetof(struct vgm_host, preset_min) == 84, "host.preset_min");
_Static_assert(offsetof(struct vgm_host, preset_max) == 88, "host.preset_max");
_Static_assert(offsetof(struct vgm_host, range_min) == 92, "host.range_min");
_Static_assert(offsetof(struct vgm_host, range_max) == 96, "host.range_max");
_Static_assert(offsetof(struct vgm_host, cuda_version) == 100, "host.cuda_version");
_Static_assert(offsetof(struct vgm_host, driver_capabilities) == 104, "host.driver_capabilities");
_Static_assert(offsetof(struct vgm_host, fill) == 108, "host.fill");
_Static_assert(offsetof(struct vgm_host, driver) == 112, "host.driver");
_Static_assert(offsetof(struct vgm_host, nvml) == 192, "host.nvml");
_Static_assert(offsetof(struct vgm_host, branch) == 272, "host.branch");

/* a gpu, in the host's order */
struct vgm_gpu {
    uint64_t memory_total;
    uint64_t memory_reserved;
    uint64_t memory_used;
    uint64_t bar1_total;
    uint64_t ecc_corrected;
    uint64_t ecc_uncorrected;
    uint32_t pci_domain;
    uint32_t pci_bus;
    uint32_t pci_device;
    uint32_t pci_device_id;
    uint32_t pci_subsystem_id;
    uint32_t is_vgpu_host;
    uint32_t virtualization_mode;
    uint32_t host_vgpu_mode;
    uint32_t heterogeneous;
    uint32_t can_be_heterogeneous;
    uint32_t capabilities;
    uint32_t mig_capable;
    uint32_t mig_enabled;
    uint32_t ecc_capable;
    uint32_t ecc_enabled;
    uint32_t persistence;
    uint32_t compute_mode;
    uint32_t performance_state;
    uint32_t temperature;
    uint32_t fan_speed;
    uint32_t power_mw;
    uint32_t power_limit_mw;
    uint32_t utilization_gpu;
    uint32_t utilization_memory;
    uint32_t utilization_encoder;
    uint32_t utilization_decoder;
    uint32_t brand;
    uint32_t architecture;
    uint32_t compute_major;
    uint32_t compute_minor;
    uint32_t read_bandwidth_mb_s;
    uint32_t write_bandwidth_mb_s;
    uint32_t active_first;
    uint32_t active_count;
    uint32_t supported_first;
    uint32_t supported_count;
    uint32_t creatable_first;
    uint32_t creatable_count;
    uint32_t rooms_first;
    uint32_t rooms_count;
    char uuid[96];
    char name[96];
    char metadata_string[256];
    unsigned char record[128];
};
_Static_assert(sizeof(struct vgm_gpu) == 784, "gpu");
_Static_assert(offsetof(struct vgm_gpu, memory_total) == 0, "gpu.memory_total");
_Static_assert(offsetof(struct vgm_gpu, memory_reserved) == 8, "gpu.memory_reserved");
_Static_assert(offsetof(struct vgm_gpu, memory_used) == 16, "gpu.memory_used");
_Static_assert(offsetof(struct vgm_gpu, bar1_total) == 24, "gpu.bar1_total");
_Static_assert(offsetof(struct vgm_gpu, ecc_corrected) == 32, "gpu.ecc_corrected");
_Static_assert(offsetof(struct vgm_gpu, ecc_uncorrected) == 40, "gpu.ecc_uncorrected");
_Static_assert(offsetof(struct vgm_gpu, pci_domain) == 48, "gpu.pci_domain");
_Static_assert(offsetof(struct vgm_gpu, pci_bus) == 52, "gpu.pci_bus");
_Static_assert(offsetof(struct vgm_gpu, pci_device) == 56, "gpu.pci_device");
_Static_assert(offsetof(struct vgm_gpu, pci_device_id) == 60, "gpu.pci_device_id");
_Static_assert(offsetof(struct vgm_gpu, pci_subsystem_id) == 64, "gpu.pci_subsystem_id");
_Static_assert(offsetof(struct vgm_gpu, is_vgpu_host) == 68, "gpu.is_vgpu_host");
_Static_assert(offsetof(struct vgm_gpu, virtualization_mode) == 72, "gpu.virtualization_mode");
_Static_assert(offsetof(struct vgm_gpu, host_vgpu_mode) == 76, "gpu.host_vgpu_mode");
_Static_assert(offsetof(struct vgm_gpu, heterogeneous) == 80, "gpu.heterogeneous");
_Static_assert(offsetof(struct vgm_gpu, can_be_heterogeneous) == 84, "gpu.can_be_heterogeneous");
_Static_assert(offsetof(struct vgm_gpu, capabilities) == 88, "gpu.capabilities");
_Static_assert(offsetof(struct vgm_gpu, mig_capable) == 92, "gpu.mig_capable");
_Static_assert(offsetof(struct vgm_gpu, mig_enabled) == 96, "gpu.mig_enabled");
_Static_assert(offsetof(struct vgm_gpu, ecc_capable) == 100, "gpu.ecc_capable");
_Static_assert(offsetof(struct vgm_gpu, ecc_enabled) == 104, "gpu.ecc_enabled");
_Static_assert(offsetof(struct vgm_gpu, persistence) == 108, "gpu.persistence");
_Static_assert(offsetof(struct vgm_gpu, compute_mode) == 112, "gpu.compute_mode");
_Static_assert(offsetof(struct vgm_gpu, performance_state) == 116, "gpu.performance_state");
_Static_assert(offsetof(struct vgm_gpu, temperature) == 120, "gpu.temperature");
_Static_assert(offsetof(struct vgm_gpu, fan_speed) == 124, "gpu.fan_speed");
_Static_assert(offsetof(struct vgm_gpu, power_mw) == 128, "gpu.power_mw");
_Static_assert(offsetof(struct vgm_gpu, power_limit_mw) == 132, "gpu.power_limit_mw");
_Static_assert(offsetof(struct vgm_gpu, utilization_gpu) == 136, "gpu.utilization_gpu");
_Static_assert(offsetof(struct vgm_gpu, utilization_memory) == 140, "gpu.utilization_memory");
_Static_assert(offsetof(struct vgm_gpu, utilization_encoder) == 144, "gpu.utilization_encoder");
_Static_assert(offsetof(struct vgm_gpu, utilization_decoder) == 148, "gpu.utilization_decoder");
_Static_assert(offsetof(struct vgm_gpu, brand) == 152, "gpu.brand");
_Static_assert(offsetof(struct vgm_gpu, architecture) == 156, "gpu.architecture");
_Static_assert(offsetof(struct vgm_gpu, compute_major) == 160, "gpu.compute_major");
_Static_assert(offsetof(struct vgm_gpu, compute_minor) == 164, "gpu.compute_minor");
_Static_assert(offsetof(struct vgm_gpu, read_bandwidth_mb_s) == 168, "gpu.read_bandwidth_mb_s");
_Static_assert(offsetof(struct vgm_gpu, write_bandwidth_mb_s) == 172, "gpu.write_bandwidth_mb_s");
_Static_assert(offsetof(struct vgm_gpu, active_first) == 176, "gpu.active_first");
_Static_assert(offsetof(struct vgm_gpu, active_count) == 180, "gpu.active_count");
_Static_assert(offsetof(struct vgm_gpu, supported_first) == 184, "gpu.supported_first");
_Static_assert(offsetof(struct vgm_gpu, supported_count) == 188, "gpu.supported_count");
_Static_assert(offsetof(struct vgm_gpu, creatable_first) == 192, "gpu.creatable_first");
_Static_assert(offsetof(struct vgm_gpu, creatable_count) == 196, "gpu.creatable_count");
_Static_assert(offsetof(struct vgm_gpu, rooms_first) == 200, "gpu.rooms_first");
_Static_assert(offsetof(struct vgm_gpu, rooms_count) == 204, "gpu.rooms_count");
_Static_assert(offsetof(struct vgm_gpu, uuid) == 208, "gpu.uuid");
_Static_assert(offsetof(struct vgm_gpu, name) == 304, "gpu.name");
_Static_assert(offsetof(struct vgm_gpu, metadata_string) == 400, "gpu.metadata_string");
_Static_assert(offsetof(struct vgm_gpu, record) == 656, "gpu.record");

/* what a gpu has to offer of one type; by type id within a gpu */
struct vgm_type_room {
    uint32_t type_id;
    uint32_t fill;
    uint32_t creatable_first;
    uint32_t creatable_count;
};
_Static_assert(sizeof(struct vgm_type_room) == 16, "type_room");
_Static_assert(offsetof(struct vgm_type_room, type_id) == 0, "type_room.type_id");
_Static_assert(offsetof(struct vgm_type_room, fill) == 4, "type_room.fill");
_Static_assert(offsetof(struct vgm_type_room, creatable_first) == 8, "type_room.creatable_first");
_Static_assert(offsetof(struct vgm_type_room, creatable_count) == 12, "type_room.creatable_count");

/* an active vgpu, by handle */
struct vgm_instance {
    uint64_t framebuffer_used;
    uint64_t runtime_state_bytes;
    uint32_t handle;
    uint32_t gpu;
    uint32_t type_id;
    uint32_t vm_id_type;
    uint32_t placement;
    uint32_t process;
    uint32_t is_compute;
    uint32_t gpu_instance;
    uint32_t utilization_sm;
    uint32_t utilization_memory;
    uint32_t utilization_encoder;
    uint32_t utilization_decoder;
    uint32_t ecc_enabled;
    uint32_t licensed;
    uint32_t frame_rate_limit;
    uint32_t fill;
    char uuid[80];
    char mdev_uuid[80];
    char vm_id[80];
    char guest_driver[80];
    char pci_id[32];
    unsigned char record[212];
    uint32_t fill_1;
};
_Static_assert(sizeof(struct vgm_instance) == 648, "instance");
_Static_assert(offsetof(struct vgm_instance, framebuffer_used) == 0, "instance.framebuffer_used");
_Static_assert(offsetof(struct vgm_instance, runtime_state_bytes) == 8, "instance.runtime_state_bytes");
_Static_assert(offsetof(struct vgm_instance, handle) == 16, "instance.handle");
_Static_assert(offsetof(struct vgm_instance, gpu) == 20, "instance.gpu");
_Static_assert(offsetof(struct vgm_instance, type_id) == 24, "instance.type_id");
_Static_assert(offsetof(struct vgm_instance, vm_id_type) == 28, "instance.vm_id_type");
_Static_assert(offsetof(struct vgm_instance, placement) == 32, "instance.placement");
_Static_assert(offsetof(struct vgm_instance, process) == 36, "instance.process");
_Static_assert(offsetof(struct vgm_instance, is_compute) == 40, "instance.is_compute");
_Static_assert(offsetof(struct vgm_instance, gpu_instance) == 44, "instance.gpu_instance");
_Static_assert(offsetof(struct vgm_instance, utilization_sm) == 48, "instance.utilization_sm");
_Static_assert(offsetof(struct vgm_instance, utilization_memory) == 52, "instance.utilization_memory");
_Static_assert(offsetof(struct vgm_instance, utilization_encoder) == 56, "instance.utilization_encoder");
_Static_assert(offsetof(struct vgm_instance, utilization_decoder) == 60, "instance.utilization_decoder");
_Static_assert(offsetof(struct vgm_instance, ecc_enabled) == 64, "instance.ecc_enabled");
_Static_assert(offsetof(struct vgm_instance, licensed) == 68, "instance.licensed");
_Static_assert(offsetof(struct vgm_instance, frame_rate_limit) == 72, "instance.frame_rate_limit");
_Static_assert(offsetof(struct vgm_instance, fill) == 76, "instance.fill");
_Static_assert(offsetof(struct vgm_instance, uuid) == 80, "instance.uuid");
_Static_assert(offsetof(struct vgm_instance, mdev_uuid) == 160, "instance.mdev_uuid");
_Static_assert(offsetof(struct vgm_instance, vm_id) == 240, "instance.vm_id");
_Static_assert(offsetof(struct vgm_instance, guest_driver) == 320, "instance.guest_driver");
_Static_assert(offsetof(struct vgm_instance, pci_id) == 400, "instance.pci_id");
_Static_assert(offsetof(struct vgm_instance, record) == 432, "instance.record");
_Static_assert(offsetof(struct vgm_instance, fill_1) == 644, "instance.fill_1");

/* an injected fault; the first that fires decides */
struct vgm_fault {
    uint64_t after;
    uint64_t seed;
    uint64_t until_ms;
    uint32_t function;
    uint32_t gpu;
    uint32_t instance;
    int32_t code;
    uint32_t threshold;
    uint32_t delay_us;
    uint32_t counter;
    uint32_t fill;
};
_Static_assert(sizeof(struct vgm_fault) == 56, "fault");
_Static_assert(offsetof(struct vgm_fault, after) == 0, "fault.after");
_Static_assert(offsetof(struct vgm_fault, seed) == 8, "fault.seed");
_Static_assert(offsetof(struct vgm_fault, until_ms) == 16, "fault.until_ms");
_Static_assert(offsetof(struct vgm_fault, function) == 24, "fault.function");
_Static_assert(offsetof(struct vgm_fault, gpu) == 28, "fault.gpu");
_Static_assert(offsetof(struct vgm_fault, instance) == 32, "fault.instance");
_Static_assert(offsetof(struct vgm_fault, code) == 36, "fault.code");
_Static_assert(offsetof(struct vgm_fault, threshold) == 40, "fault.threshold");
_Static_assert(offsetof(struct vgm_fault, delay_us) == 44, "fault.delay_us");
_Static_assert(offsetof(struct vgm_fault, counter) == 48, "fault.counter");
_Static_assert(offsetof(struct vgm_fault, fill) == 52, "fault.fill");

/* the head of every message on the host's socket, both ways */
struct vgm_message {
    uint32_t magic;
    uint32_t kind;
    uint32_t length;
    uint32_t fill;
};
_Static_assert(sizeof(struct vgm_message) == 16, "message");
_Static_assert(offsetof(struct vgm_message, magic) == 0, "message.magic");
_Static_assert(offsetof(struct vgm_message, kind) == 4, "message.kind");
_Static_assert(offsetof(struct vgm_message, length) == 8, "message.length");
_Static_assert(offsetof(struct vgm_message, fill) == 12, "message.fill");

/* a setter on its way to the host */
struct vgm_call_body {
    uint32_t function;
    uint32_t gpu;
    uint64_t arguments[4];
};
_Static_assert(sizeof(struct vgm_call_body) == 40, "call_body");
_Static_assert(offsetof(struct vgm_call_body, function) == 0, "call_body.function");
_Static_assert(offsetof(struct vgm_call_body, gpu) == 4, "call_body.gpu");
_Static_assert(offsetof(struct vgm_call_body, arguments) == 8, "call_body.arguments");

/* what the host says of a setter; by then it is published */
struct vgm_call_answer {
    int32_t code;
    uint32_t fill;
    uint64_t generation;
};
_Static_assert(sizeof(struct vgm_call_answer) == 16, "call_answer");
_Static_assert(offsetof(struct vgm_call_answer, code) == 0, "call_answer.code");
_Static_assert(offsetof(struct vgm_call_answer, fill) == 4, "call_answer.fill");
_Static_assert(offsetof(struct vgm_call_answer, generation) == 8, "call_answer.generation");

#endif
