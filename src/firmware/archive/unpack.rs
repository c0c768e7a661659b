//! Bytes of a member, and whether they are what it says.

use super::ArchiveFault;
use super::directory::{Member, Method};
use crate::event::text::Text;
use flate2::{Crc, Decompress, FlushDecompress, Status};

/// Unpacks a member, whose size the directory has bounded.
pub(super) fn unpack(member: &Member<'_>, packed: &[u8]) -> Result<Vec<u8>, ArchiveFault> {
    let lies = |what| {
        Err(ArchiveFault::Lies {
            member: member.name.clone(),
            what,
        })
    };
    let sizes = member.sizes;
    // Some programs say of an empty file that it is deflated.
    let is_nothing = sizes.packed == 0 && sizes.unpacked == 0;
    let bytes = match member.method {
        Method::Deflated if !is_nothing => match inflate(packed, sizes.unpacked) {
            Ok(bytes) => bytes,
            Err(what) => return lies(what),
        },
        Method::Stored | Method::Deflated => packed.to_vec(),
    };
    let mut crc = Crc::new();
    crc.update(&bytes);
    if crc.sum() != sizes.crc {
        return lies(Text::new(
            "校验和与内容不符",
            "its checksum does not fit what it holds",
        ));
    }
    Ok(bytes)
}

/// Inflates what must come to `size` bytes; what is wrong where it does not.
fn inflate(packed: &[u8], size: u64) -> Result<Vec<u8>, Text> {
    const MORE: Text = Text::new("内容比它声称的多", "it holds more than it says");
    const LESS: Text = Text::new("内容比它声称的少", "it holds less than it says");
    const BROKEN: Text = Text::new("内容无法解压", "what it holds cannot be unpacked");
    let size = usize::try_from(size).map_err(|_| MORE)?;
    let mut bytes = Vec::new();
    // With room for one more, to see that there is none.
    bytes.try_reserve_exact(size + 1).map_err(|_| MORE)?;
    let mut inflater = Decompress::new(false);
    let status = inflater.decompress_vec(packed, &mut bytes, FlushDecompress::Finish);
    if bytes.len() > size {
        return Err(MORE);
    }
    match status {
        Ok(Status::StreamEnd) if inflater.total_in() != packed.len() as u64 => Err(Text::new(
            "内容后面还有多余的字节",
            "bytes stand behind what it holds",
        )),
        Ok(Status::StreamEnd) if bytes.len() < size => Err(LESS),
        Ok(Status::StreamEnd) => Ok(bytes),
        Ok(Status::Ok | Status::BufError) => {
            Err(Text::new("内容被截断", "what it holds is cut off"))
        }
        Err(_) => Err(BROKEN),
    }
}
