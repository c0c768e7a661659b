//! Defaults that follow the memory of the machine, or of the control group around this
//! process: no number of strangers may have it killed.
//!
//! Half of the memory is for connections, an eighth each for images and for bodies that are
//! being gathered, three sixteenths at most for devices and what they say; the rest is for the
//! process itself.

use super::section::Section;
use crate::event::event;
use crate::fleet::settings::FleetRoom;
use crate::util::memory::Memory;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Number of connections at once where memory does not bound them.
const CONNECTIONS: u64 = 16_000;
/// Number of connections below which no machine is of use.
const FEWEST: u64 = 64;
/// Number of bytes of images that are kept in memory: at most, and at least.
const IMAGES: (u64, u64) = (256 * MIB, 8 * MIB);
/// Number of bytes of bodies that are being gathered: at most, and at least.
const BODIES: (u64, u64) = (64 * MIB, 4 * MIB);

/// Number of settled devices: at most, and at least. Whoever invents devices can settle them,
/// too, by coming twice.
const DEVICES: (u64, u64) = (1 << 20, 10_000);
/// Number of bytes of memory for which there is one settled device. It takes 350 with what many
/// have in common, and 640 at worst, with five offers and texts of its own.
const FOR_DEVICE: u64 = 4 << 10;
/// Number of devices that came once only: at most, and at least.
const NEWCOMERS: (u64, u64) = (65_536, 4_096);
/// Number of bytes of memory for which there is one of those.
const FOR_NEWCOMER: u64 = 32 << 10;
/// Number of bytes of what devices say of themselves: at most, and at least.
const DESCRIPTIONS: (u64, u64) = (64 * MIB, 4 * MIB);
/// Part of the memory that is for it, as a divisor.
const FOR_DESCRIPTIONS: u64 = 32;

/// Number of bytes that a connection costs at worst, as `deploy/benchmark.md` measures it:
/// a download over TLS that is not read, and what a head and a body take besides.
const OF_PROCESS: u64 = 80 * KIB;
/// The same of a body that a server behind does not take.
const OF_PROCESS_BEHIND: u64 = 144 * KIB;
/// Number of bytes that the kernel holds of a socket at worst.
const OF_KERNEL: u64 = 320 * KIB;
/// Part of the machine, as a divisor, that the kernel gives to all of TCP at most, unless
/// `net.ipv4.tcp_mem` was raised (a sixteenth, and half as much again).
const OF_TCP: u64 = 10;

/// Numbers that fit into the memory that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Number of connections at once.
    pub(super) connections: usize,
    /// Number of bytes of images that are kept in memory.
    pub(super) images: u64,
    /// Number of bytes of bodies that are being gathered.
    pub(super) bodies: u64,
    /// Room for what is known of devices.
    pub(super) devices: FleetRoom,
}

impl Room {
    /// Returns the defaults for a machine, whose connections may each have a second one
    /// to a server `behind`.
    pub(super) fn of(memory: Memory, behind: bool) -> Self {
        let least = memory.least();
        let share = |(most, fewest): (u64, u64)| {
            least.map_or(most, |bytes| (bytes / 8).clamp(fewest, most))
        };
        let connections = least.map_or(CONNECTIONS, |bytes| {
            connections(bytes / 2, memory, behind).clamp(FEWEST, CONNECTIONS)
        });
        let number = |part: u64, (most, fewest): (u64, u64)| {
            let fits = least.map_or(most, |bytes| (bytes / part).clamp(fewest, most));
            usize::try_from(fits).unwrap_or(usize::MAX)
        };
        let devices = FleetRoom {
            settled: number(FOR_DEVICE, DEVICES),
            newcomers: number(FOR_NEWCOMER, NEWCOMERS),
            descriptions: number(FOR_DESCRIPTIONS, DESCRIPTIONS),
        };
        Self {
            connections: usize::try_from(connections).unwrap_or(usize::MAX),
            images: share(IMAGES),
            bodies: share(BODIES),
            devices,
        }
    }
}

/// Returns the number of connections that fit into so many bytes, whatever they do.
fn connections(room: u64, memory: Memory, behind: bool) -> u64 {
    let (process, kernel) = if behind {
        (OF_PROCESS_BEHIND, 2 * OF_KERNEL)
    } else {
        (OF_PROCESS, OF_KERNEL)
    };
    let each_whole = room / (process + kernel);
    // All of them together have no more of the kernel than this.
    let all_of_tcp = memory.machine.map_or(u64::MAX, |bytes| bytes / OF_TCP);
    each_whole.max(room.saturating_sub(all_of_tcp) / process)
}

/// Warns of what is written and cannot fit: it holds all the same. `connections` and
/// `images` are what `gateway` comes to, the latter where it is written.
pub(super) fn check(
    gateway: &Section<'_>,
    connections: usize,
    images: Option<u64>,
    memory: Memory,
    behind: bool,
) {
    let room = Room::of(memory, behind);
    let (shown, of) = (memory.shown(), memory.source());
    let limits = gateway.section("limits");
    if limits.has("connections") && is_too_many(connections, memory, behind) {
        let event = event!(
            CONFIG_MEMORY,
            memory = shown.clone(),
            of = of,
            fit = room.connections
        );
        let about = limits.about("connections");
        about.value(limits.text("connections")).warn(event);
    }
    if images.is_some_and(|images| is_too_much(images, memory)) {
        let fit = format!("{}MiB", room.images >> 20);
        let event = event!(CONFIG_MEMORY, memory = shown, of = of, fit = fit);
        let firmware = gateway.section("firmware");
        let about = firmware.about("memory");
        about.value(firmware.text("memory")).warn(event);
    }
}

/// Returns whether so many connections cannot fit, even where they have three quarters.
fn is_too_many(connections_at_once: usize, memory: Memory, behind: bool) -> bool {
    memory.least().is_some_and(|bytes| {
        let fit = connections(bytes / 4 * 3, memory, behind).max(FEWEST);
        connections_at_once as u64 > fit
    })
}

/// Returns whether images of so many bytes would take more than half of the memory.
fn is_too_much(images: u64, memory: Memory) -> bool {
    memory.least().is_some_and(|bytes| images > bytes / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: u64 = 1 << 30;
    /// Number of bytes that a device takes at worst beside what is shared of its description:
    /// its record and its place (180), a client id and a first name that are texts (160), and
    /// five offers (300).
    const OF_DEVICE: u64 = 640;
    /// Number of bytes that a newcomer takes besides: its place in their line.
    const OF_LINE: u64 = 80;

    fn of_devices(room: FleetRoom) -> u64 {
        let FleetRoom {
            settled,
            newcomers,
            descriptions,
        } = room;
        let devices = settled as u64 * OF_DEVICE + newcomers as u64 * (OF_DEVICE + OF_LINE);
        devices + descriptions as u64
    }

    fn of(machine: u64, group: Option<u64>) -> Room {
        let machine = Some(machine);
        Room::of(Memory { machine, group }, false)
    }

    #[test]
    fn defaults_of_machines_and_containers() {
        let room = |connections, images, bodies, devices: (usize, usize, usize)| Room {
            connections,
            images: images * MIB,
            bodies: bodies * MIB,
            devices: FleetRoom {
                settled: devices.0,
                newcomers: devices.1,
                descriptions: devices.2 << 20,
            },
        };
        let most = (1 << 20, 65_536, 64);
        let unknown = Room::of(Memory::default(), false);
        assert_eq!(unknown, room(16_000, 256, 64, most));
        for (machine, group, expected) in [
            (24 * GIB, None, room(16_000, 256, 64, most)),
            (4 * GIB, None, room(16_000, 256, 64, most)),
            (2 * GIB, None, room(10_485, 256, 64, (524_288, 65_536, 64))),
            (512 * MIB, None, room(2_621, 64, 64, (131_072, 16_384, 16))),
            (128 * MIB, None, room(655, 16, 16, (32_768, 4_096, 4))),
            (24 * GIB, Some(4 * GIB), room(5_242, 256, 64, most)),
            (
                24 * GIB,
                Some(512 * MIB),
                room(655, 64, 64, (131_072, 16_384, 16)),
            ),
            (
                24 * GIB,
                Some(128 * MIB),
                room(163, 16, 16, (32_768, 4_096, 4)),
            ),
            (24 * GIB, Some(16 * MIB), room(64, 8, 4, (10_000, 4_096, 4))),
            (4 * GIB, Some(64 * GIB), room(16_000, 256, 64, most)),
        ] {
            assert_eq!(of(machine, group), expected, "{machine} {group:?}");
        }
    }

    #[test]
    fn what_is_written_is_told_where_it_cannot_fit() {
        let memory = |machine| Memory {
            machine: Some(machine),
            group: None,
        };
        assert!(!is_too_many(16_000, memory(4 * GIB), false));
        assert!(is_too_many(16_000, memory(GIB), false));
        assert!(!is_too_many(1_000_000, Memory::default(), false));
        assert!(is_too_much(256 * MIB, memory(256 * MIB)));
        assert!(!is_too_much(256 * MIB, memory(GIB)));
    }

    proptest! {
        #[test]
        fn all_defaults_together_fit(machine in 96 * MIB..1024 * GIB, group in prop::option::of(96 * MIB..1024 * GIB), behind: bool) {
            let memory = Memory { machine: Some(machine), group };
            let least = memory.least().unwrap();
            let room = Room::of(memory, behind);
            let (process, kernel) = if behind { (OF_PROCESS_BEHIND, 640 * KIB) } else { (OF_PROCESS, OF_KERNEL) };
            let connections = room.connections as u64;
            let of_kernel = (connections * kernel).min(machine / OF_TCP);
            let needed = connections * process + of_kernel + room.images + room.bodies + of_devices(room.devices);
            prop_assert!(needed <= least, "{} of {}", needed, least);
            prop_assert!((FEWEST..=CONNECTIONS).contains(&connections));
            prop_assert!(!is_too_many(room.connections, memory, behind));
            prop_assert!(!is_too_much(room.images, memory));
        }

        #[test]
        fn more_memory_never_gives_less(machine in MIB..64 * GIB, more in 0..64 * GIB, behind: bool) {
            let of = |machine| Room::of(Memory { machine: Some(machine), group: None }, behind);
            let (less, more) = (of(machine), of(machine + more));
            prop_assert!(less.connections <= more.connections && less.images <= more.images && less.bodies <= more.bodies && less.devices.settled <= more.devices.settled);
            prop_assert!(less.devices.newcomers <= more.devices.newcomers && less.devices.descriptions <= more.devices.descriptions);
        }
    }
}
