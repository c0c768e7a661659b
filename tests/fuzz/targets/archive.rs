//! Release archives: whatever the bytes, they are read, or refused with a reason; and what
//! comes out of one is an image. The names of releases, too.

#![no_main]

use flate2::{Crc, Decompress, FlushDecompress};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use xiaozhi_device::flash::is_flash;
use xiaozhi_device::image::{Verdict, inspect, is_zip};
use xiaozhi_ota::firmware::archive::{TOGETHER, image_in};
use xiaozhi_ota::firmware::release_name::{Boards, parse};

/// Deflate makes of one byte 1032 at most, of an input of 4096 some 4 MB.
const MEMORY: usize = 16 << 20;

fuzz_target!(init: xiaozhi_ota_fuzz::init_within(MEMORY), |input: &[u8]| {
    judge(input);
    let name = String::from_utf8_lossy(&input[..input.len().min(300)]);
    for file in [&*name, &format!("v2.1.0_{name}.zip"), &format!("{name}.bin")] {
        match parse(file).boards {
            Boards::None => {}
            Boards::One(board) => assert!(!board.is_empty()),
            Boards::Either(board, without) => assert!(!board.is_empty() && !without.is_empty()),
        }
    }
});

// Left alone, nearly every mutation would end at a checksum or size that does not fit.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if seed.is_multiple_of(2) {
        let _ = seal(&mut data[..size]);
    }
    size
});

fn judge(input: &[u8]) {
    match image_in(input, TOGETHER) {
        Err(fault) => assert!(!fault.to_string().is_empty()),
        Ok(packed) => {
            assert!(is_zip(input));
            assert_eq!(packed.is_flash, is_flash(&packed.bytes));
            let is_app = matches!(inspect(&packed.bytes).verdict, Verdict::App(_));
            assert_ne!(packed.is_flash, is_app);
            for name in packed.left.iter().chain([&packed.member]) {
                let leads_out = name.starts_with('/') || name.split('/').any(|part| part == "..");
                assert!(!leads_out && !name.contains(['\\', '\0']), "{name:?}");
            }
        }
    }
}

/// Puts right what the headers of each member say of its bytes, as far as the directory can
/// be followed; `None` where it cannot.
fn seal(file: &mut [u8]) -> Option<()> {
    let end = file.len().checked_sub(22)?;
    let mut entry = number(file, end + 16)?;
    while file.get(entry..)?.starts_with(b"PK\x01\x02") {
        let own = number(file, entry + 42)?;
        let names = file.get(own + 26..)?;
        let data = own + 30 + short(names, 0)? + short(names, 2)?;
        let packed = file.get(data..)?.get(..number(file, entry + 20)?)?;
        let mut bytes = Vec::with_capacity(256 << 10);
        if file.get(entry + 10) == Some(&8) {
            let mut inflater = Decompress::new(false);
            inflater
                .decompress_vec(packed, &mut bytes, FlushDecompress::Finish)
                .ok()?;
        } else {
            bytes.extend_from_slice(packed);
        }
        let mut crc = Crc::new();
        crc.update(&bytes);
        let length = u32::try_from(bytes.len()).ok()?;
        for (at, value) in [(0, crc.sum()), (8, length)] {
            for header in [entry + 16, own + 14] {
                let place = header + at..header + at + 4;
                file.get_mut(place)?.copy_from_slice(&value.to_le_bytes());
            }
        }
        let lengths = file.get(entry + 28..entry + 34)?;
        entry += 46 + short(lengths, 0)? + short(lengths, 2)? + short(lengths, 4)?;
    }
    Some(())
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes).into())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}
