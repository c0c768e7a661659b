//! Answers of a server behind: whatever it sends, and however it is cut, it reads the same,
//! and never more than was allowed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xiaozhi_ota::util::http_answer::{Answer, AnswerReader, Odd};

const LONGEST: usize = 2_000;

fuzz_target!(init: xiaozhi_ota_fuzz::init(), |sent: &[u8]| {
    let whole = read(sent, sent.len().max(1));
    if let Ok(answer) = &whole {
        assert!(answer.body.len() <= LONGEST);
        assert!(!answer.status.is_informational());
    }
    for piece in [1, 7, 100] {
        let cut = read(sent, piece);
        match (&whole, &cut) {
            // What stands behind an answer is not seen where it did not come with it.
            (Ok(whole), Ok(cut)) => assert_eq!((whole.status, &whole.body), (cut.status, &cut.body)),
            (Err(_), Err(_)) => {}
            _ => panic!("{whole:?} and {cut:?}, in pieces of {piece}"),
        }
    }
});

fn read(sent: &[u8], piece: usize) -> Result<Answer, Odd> {
    let mut reader = AnswerReader::new(LONGEST);
    for part in sent.chunks(piece) {
        if let Some(answer) = reader.take(part)? {
            return Ok(answer);
        }
    }
    reader.end()
}
