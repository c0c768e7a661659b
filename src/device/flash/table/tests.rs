use crate::flash::tests::{app, fault, found, labels};
use crate::flash::{FlashFault, TableFault};
use xiaozhi_image_builder::{Flash, Partition};

#[test]
fn a_table_is_found_where_it_is_and_the_first_one_counts() {
    let image = app("1.6.6");
    for table_at in (0x3000..=0x1_0000).step_by(0x1000) {
        let layout = Flash {
            table_at,
            ..Flash::v2_16mb()
        };
        let flash = layout.build(&[("ota_0", &image)]);
        assert!(found(&flash).bytes == image, "{table_at:#x}");
    }
    // One that a file system holds counts only where there is no other in front.
    let layout = Flash::v1_16mb();
    let flash = layout.build(&[("ota_0", &image), ("model", &Flash::v2_16mb().table())]);
    assert!(found(&flash).bytes == image);
}

#[test]
fn a_file_that_begins_with_its_bootloader_is_read_like_any_other() {
    let image = app("1.6.6");
    let (near, far) = (Flash::v2_16mb(), Flash::table_at_0x9000());
    for (layout, chip, bootloader_at) in [
        (&near, 0, 0x1000),
        (&near, 2, 0x1000),
        (&near, 18, 0x2000),
        (&far, 23, 0x2000),
        // Its table stands where that of a whole file does.
        (&far, 0, 0x1000),
    ] {
        let layout = Flash {
            bootloader_at,
            ..layout.clone()
        };
        let mut flash = layout.build(&[("ota_0", &image)]);
        flash[bootloader_at + 12] = chip;
        let found = found(&flash[bootloader_at..]);
        assert!(found.bytes == image);
        assert_eq!(found.offset, (layout.place("ota_0") - bootloader_at) as u64);
    }
}

#[test]
fn every_flip_in_a_table_shows() {
    let image = app("1.6.6");
    for (name, layout) in Flash::layouts() {
        let flash = layout.build(&[("ota_0", &image)]);
        // All lines, the checksum's, and the end mark.
        let length = 32 * (layout.partitions.len() + 2);
        let mut table = flash[..layout.table_at + 0x1000].to_vec();
        for at in layout.table_at..layout.table_at + length {
            for bit in 0..8 {
                table[at] ^= 1 << bit;
                let fault = fault(&table);
                assert!(
                    matches!(fault, FlashFault::NoTable | FlashFault::Table { .. }),
                    "{name}, bit {bit} at {at:#x}: {fault:?}"
                );
                table[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn a_table_that_no_bootloader_would_take_is_refused() {
    let why = |table: &[u8]| {
        let mut flash = vec![0xFF; 0x8000];
        flash.extend(table);
        match fault(&flash) {
            FlashFault::Table { offset, why } => {
                assert_eq!(offset, 0x8000);
                why
            }
            other => panic!("{other:?}"),
        }
    };
    let table = Flash::v2_16mb().table();
    let sum = 6 * 32;
    assert_eq!(why(&table[..sum + 32]), TableFault::NoEnd);
    assert_eq!(why(&table[..100]), TableFault::NoEnd);
    assert_eq!(why(&table[..32].repeat(96)), TableFault::NoEnd);
    let mut twice = table.clone();
    twice.copy_within(sum..sum + 32, sum + 32);
    assert_eq!(why(&twice), TableFault::Line { number: 8 });
    let mut strange = table;
    strange[3 * 32] = 0;
    assert_eq!(why(&strange), TableFault::Line { number: 4 });
    for what in ["ota_0", "factory"] {
        let mut layout = Flash::factory_and_slot();
        let line = layout.partitions.iter().find(|line| line.label == what);
        let line = *line.unwrap();
        layout.partitions.push(line);
        assert_eq!(why(&layout.table()), TableFault::Twice { what });
    }
}

#[test]
fn what_a_label_says_harms_no_terminal() {
    let mut layout = Flash::without_slots_4mb();
    layout.partitions[0].label = "\u{1b}[31mred\n";
    layout.partitions[1].label = "";
    layout.partitions[2].label = "sixteen-letters!";
    let FlashFault::NoSlot { partitions } = fault(&layout.build(&[])) else {
        panic!("an app was found");
    };
    assert!(!partitions.concat().contains(char::is_control));
    assert_eq!(partitions[1..3], ["0xd000", "sixteen-letters!"]);
    let mut layout = Flash::v2_16mb();
    let flash_of = |layout: &Flash| layout.build(&[("ota_0", &app("1.6.6"))]);
    let mut flash = flash_of(&layout);
    assert_eq!(found(&flash).slot, "ota_0");
    layout.summed = false;
    flash = flash_of(&layout);
    flash[0x8000 + 3 * 32 + 12..0x8000 + 3 * 32 + 28].fill(0);
    assert_eq!(found(&flash).slot, "ota_0");
}

#[test]
fn tables_of_later_builds_name_the_bootloader_and_themselves() {
    let mut layout = Flash::v2_16mb();
    let own = |label, kind, offset, size| Partition {
        label,
        kind,
        subtype: 0,
        offset,
        size,
    };
    layout.partitions.insert(0, own("bootloader", 2, 0, 0x8000));
    layout
        .partitions
        .insert(1, own("partition_table", 3, 0x8000, 0x1000));
    let flash = layout.build(&[("ota_0", &app("1.6.6"))]);
    assert_eq!(labels(&found(&flash)), ["bootloader", "partition table"]);
}
