//! Events of what is wrong with a full flash image.

use super::text::Text;
use super::{Event, Value, event};
use xiaozhi_device::flash::{FlashFault, Held, TableFault};
use xiaozhi_device::image::ImageFault;

impl From<&FlashFault> for Event {
    fn from(fault: &FlashFault) -> Self {
        match fault {
            FlashFault::NoTable => event!(FLASH_NO_TABLE),
            FlashFault::Table { offset, why } => {
                event!(FLASH_TABLE, offset = at(*offset), why = Event::from(why))
            }
            FlashFault::NoSlot { partitions } => {
                let partitions = (!partitions.is_empty()).then_some(&**partitions);
                event!(FLASH_NO_SLOT, partitions = partitions)
            }
            FlashFault::Empty { slot, offset } => {
                event!(FLASH_EMPTY, slot = slot, offset = at(*offset))
            }
            FlashFault::Beyond { slot, offset } => {
                event!(FLASH_BEYOND, slot = slot, offset = at(*offset))
            }
            FlashFault::Unreadable { slot, offset } => {
                event!(FLASH_UNREADABLE, slot = slot, offset = at(*offset))
            }
            FlashFault::Damaged {
                slot,
                offset,
                fault,
            } => event!(
                FLASH_DAMAGED,
                slot = slot,
                offset = at(*offset),
                what = in_slot(fault)
            ),
            FlashFault::Different { ota_0, factory } => {
                event!(
                    FLASH_DIFFERENT,
                    ota_0 = held(ota_0),
                    factory = held(factory)
                )
            }
        }
    }
}

impl From<&TableFault> for Event {
    fn from(fault: &TableFault) -> Self {
        match fault {
            TableFault::Checksum => event!(FLASH_TABLE_CHECKSUM),
            TableFault::Line { number } => event!(FLASH_TABLE_LINE, number = *number),
            TableFault::NoEnd => event!(FLASH_TABLE_NO_END),
            TableFault::Twice { what } => event!(FLASH_TABLE_TWICE, what = *what),
        }
    }
}

fn at(offset: u64) -> String {
    format!("{offset:#x}")
}

fn held(held: &Held) -> Event {
    let (slot, offset) = (&held.slot, at(held.offset));
    match &held.version {
        Some(version) => {
            // It comes from the file.
            let version = version.escape_debug().to_string();
            event!(FLASH_SLOT, slot = slot, offset = offset, version = version)
        }
        None => event!(FLASH_SLOT_UNREADABLE, slot = slot, offset = offset),
    }
}

/// Says what is wrong with an image, as far as it can be wrong in a slot.
fn in_slot(fault: &ImageFault) -> Value {
    let words = match fault {
        ImageFault::EndsEarly { part, .. } => return event!(FLASH_ENDS, part = *part).into(),
        ImageFault::Checksum => Text::new("校验和不符", "its checksum does not fit"),
        ImageFault::Hash => Text::new("SHA-256 不符", "its SHA-256 does not fit"),
        ImageFault::Signature => Text::new(
            "后面的签名不是它的",
            "the signature behind it is not for it",
        ),
        ImageFault::Bootloader | ImageFault::FullFlash => {
            Text::new("没有应用描述符", "it has no app descriptor")
        }
        _ => Text::new("没有设备会接受它", "it is none that a device would take"),
    };
    words.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::text::Lang;
    use xiaozhi_device::flash::app_in;
    use xiaozhi_image_builder::{Flash, Image};

    #[test]
    fn a_fault_says_what_is_wrong_and_what_to_do() {
        let (one, other) = (Image::new("1.6.6").build(), Image::new("1.6.5").build());
        let layout = Flash::v2_16mb();
        let mut damaged = layout.build(&[("ota_0", &one)]);
        let slot = layout.place("ota_0");
        damaged[slot + 100] ^= 1;
        let mut table = layout.build(&[("ota_0", &one)]);
        table[layout.table_at + 40] ^= 1;
        let flashes = [
            (vec![0xff; 100_000], "0x8000"),
            (damaged, "is damaged: its checksum"),
            (table, "is damaged: "),
            (layout.build(&[]), "in front of its slot ota_0 at "),
            (layout.build(&[("ota_1", &one)]), "is empty"),
            (
                Flash::without_slots_4mb().build(&[("assets", b"something")]),
                "but nvs, otadata, phy_init, assets",
            ),
            (
                Flash::factory_and_slot().build(&[("factory", &other), ("ota_0", &one)]),
                "ota_0 at 0x50000 (version 1.6.6)",
            ),
        ];
        for (flash, part) in flashes {
            let event = Event::from(&app_in(&flash).unwrap_err());
            let said = event.words(Lang::En);
            assert!(said.contains(part) && said.contains(". "), "{said}");
            assert!(event.words(Lang::Zh).contains("请"), "{said}");
        }
    }
}
