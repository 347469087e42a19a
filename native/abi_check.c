/* What every client takes for granted of the structures, and this library of the snapshot's records. */
#include <stddef.h>

#include "layout.h"
#include "nvml_abi.h"

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#define PLACE(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type "." #member)

/* Three words, two driver strings, six reserved words, four words: 12 + 160 + 24 + 16. */
SIZE(nvmlVgpuMetadata_t, 212);
PLACE(nvmlVgpuMetadata_t, guestInfoState, 8);
PLACE(nvmlVgpuMetadata_t, guestDriverVersion, 12);
PLACE(nvmlVgpuMetadata_t, hostDriverVersion, 92);
PLACE(nvmlVgpuMetadata_t, reserved, 172);
PLACE(nvmlVgpuMetadata_t, vgpuVirtualizationCaps, 196);
PLACE(nvmlVgpuMetadata_t, guestVgpuVersion, 200);
PLACE(nvmlVgpuMetadata_t, opaqueDataSize, 204);
PLACE(nvmlVgpuMetadata_t, opaqueData, 208);
/* Two words, a driver string, a word, five reserved words, a range, two words: 8 + 80 + 4 + 20 + 8 + 8. */
SIZE(nvmlVgpuPgpuMetadata_t, 128);
PLACE(nvmlVgpuPgpuMetadata_t, hostDriverVersion, 8);
PLACE(nvmlVgpuPgpuMetadata_t, pgpuVirtualizationCaps, 88);
PLACE(nvmlVgpuPgpuMetadata_t, reserved, 92);
PLACE(nvmlVgpuPgpuMetadata_t, hostSupportedVgpuRange, 112);
PLACE(nvmlVgpuPgpuMetadata_t, opaqueDataSize, 120);
PLACE(nvmlVgpuPgpuMetadata_t, opaqueData, 124);
SIZE(nvmlVgpuVersion_t, 8);
SIZE(nvmlVgpuPgpuCompatibility_t, 8);

SIZE(nvmlReturn_t, 4);
SIZE(nvmlEnableState_t, 4);
SIZE(nvmlPciInfo_t, 68); /* 16 + 5 * 4 + 32 */
PLACE(nvmlPciInfo_t, pciSubSystemId, 32);
PLACE(nvmlPciInfo_t, busId, 36);
SIZE(nvmlPciInfoExt_t, 64); /* 8 * 4 + 32 */
SIZE(nvmlUtilization_t, 8);
SIZE(nvmlMemory_t, 24);
SIZE(nvmlMemory_v2_t, 40);
SIZE(nvmlBAR1Memory_t, 24);
SIZE(nvmlProcessInfo_v1_t, 16);
SIZE(nvmlProcessInfo_v2_t, 24);
SIZE(nvmlTemperature_t, 12);
SIZE(nvmlSystemDriverBranchInfo_t, 84);
SIZE(nvmlUUID_t, 52); /* 8 + 41, up to a multiple of 4 */
SIZE(nvmlVgpuHeterogeneousMode_t, 8);
SIZE(nvmlVgpuPlacementId_t, 8);
SIZE(nvmlVgpuPlacementList_v1_t, 24);
SIZE(nvmlVgpuPlacementList_v2_t, 32);
SIZE(nvmlVgpuTypeBar1Info_t, 16);
SIZE(nvmlVgpuTypeMaxInstance_t, 12);
SIZE(nvmlVgpuRuntimeState_t, 16);
SIZE(nvmlVgpuLicenseInfo_t, 24);
PLACE(nvmlVgpuLicenseInfo_t, licenseExpiry, 4);
PLACE(nvmlVgpuLicenseInfo_t, currentState, 20);
SIZE(nvmlVgpuInstanceUtilizationSample_t, 48);
SIZE(nvmlVgpuInstanceUtilizationInfo_v1_t, 64);
SIZE(nvmlVgpuInstancesUtilizationInfo_t, 32);

_Static_assert(sizeof(((struct vgm_gpu *)0)->record) == sizeof(nvmlVgpuPgpuMetadata_t), "a gpu's record");
_Static_assert(sizeof(((struct vgm_instance *)0)->record) == sizeof(nvmlVgpuMetadata_t), "a vgpu's record");
