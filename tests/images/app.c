// The least that makes an ESP-IDF app: a descriptor, some code, some data. Nothing here ever runs.
#include <stddef.h>
#include <stdint.h>

#ifdef VERSION
// esp_app_desc_t (esp-idf, components/esp_app_format/include/esp_app_desc.h)
struct app_descriptor {
    uint32_t magic_word;
    uint32_t secure_version;
    uint32_t reserved1[2];
    char version[32];
    char project_name[32];
    char time[16];
    char date[16];
    char idf_version[32];
    uint8_t elf_sha256[32]; // esptool fills it in, and refuses if it is not zero
    uint16_t min_efuse_block_revision;
    uint16_t max_efuse_block_revision;
    uint8_t mmu_page_size; // its binary logarithm
    uint8_t reserved3[3];
    uint32_t reserved2[18];
};
_Static_assert(sizeof(struct app_descriptor) == 256, "the layout of esp_app_desc_t");
_Static_assert(offsetof(struct app_descriptor, elf_sha256) == 0xb0 - 0x20, "the layout of esp_app_desc_t");

__attribute__((section(".flash.appdesc"), used)) const struct app_descriptor descriptor = {
    .magic_word = 0xABCD5432,
    .version = VERSION,
    .project_name = PROJECT,
    .time = "12:34:56",
    .date = "Jan  2 2026",
    .idf_version = IDF_VERSION,
    .max_efuse_block_revision = 99,
    .mmu_page_size = MMU_PAGE_SIZE,
};
#endif

#ifdef BOOTLOADER_DESCRIPTOR
// esp_bootloader_desc_t (esp-idf 5.2 and later, esp_bootloader_desc.h)
struct bootloader_descriptor {
    uint8_t magic_byte;
    uint8_t reserved[2];
    uint8_t secure_version;
    uint32_t version;
    char idf_version[32];
    char date_time[24];
    uint8_t reserved2[16];
};
_Static_assert(sizeof(struct bootloader_descriptor) == 80, "the layout of esp_bootloader_desc_t");

__attribute__((section(".dram0.bootdesc"), used)) const struct bootloader_descriptor descriptor = {
    .magic_byte = 80,
    .version = 1,
    .idf_version = IDF_VERSION,
    .date_time = "Jan  2 2026 12:34:56",
};
#endif

#ifdef NOISE
// What esptool has to place on a page of its own, in a file of a real image's shape.
__asm__(".section .flash.text, \"ax\"\n.incbin \"" NOISE "\"\n");
#endif

#ifdef IN_FLASH
__attribute__((section(".flash.rodata"), used)) const char message[] = "only for tests: runs nowhere";
#endif

__attribute__((section(".dram0.data"), used)) uint32_t words[WORDS] = {0x00010203, 0x80818283, 0xF0E1D2C3};

__attribute__((section(".iram0.text"), used)) void _start(void)
{
    for (size_t i = 0;; i = (i + 1) % WORDS) {
        *(volatile uint32_t *)&words[i] = words[i] * 2654435761u + (uint32_t)i;
    }
}
