//! Speaks to the voice server as far as its hello (`WebSocket::Connect` in
//! esp-ml307's `src/web_socket.cc`, `WebsocketProtocol::OpenAudioChannel` in the
//! firmware).

use super::address::Target;
use super::device::Device;
use super::framing;
use super::line::Asked;
use super::reply::Websocket;
use super::report::{Evidence, Finding};
use super::rules::websocket as rules;
use super::wire::{Wire, WireError};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::{Buf as _, BytesMut};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// Time for which the firmware waits for the 101, and for the hello.
const PATIENCE: Duration = Duration::from_secs(10);
/// Limit of sending a goodbye: a server that does not take it is left.
const GOODBYE_TAKES: Duration = Duration::from_secs(1);
/// Longest hello that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// Bits of the first byte of a frame (RFC 6455, section 5.2): `FIN`, and the
/// opcodes.
const LAST: u8 = 0x80;
const OPCODE: u8 = 0x0F;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;

/// Says hello over an open connection. Returns the server's hello, or the finding
/// that says why there was none.
pub(crate) async fn hello<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    target: &Target,
    device: &Device,
    handed: &Websocket,
) -> Result<String, Finding> {
    let mut wire = Wire::new(stream, PATIENCE);
    let failed = |e: WireError| {
        let finding = match e {
            WireError::TimedOut(_) | WireError::Closed(_) | WireError::Io(_) => {
                Finding::fail(&rules::UNREACHABLE, &e)
            }
            e => framing::broken(&e, Asked::Check, device.kind),
        };
        finding.serial("E (…) WebSocket: WebSocket handshake timeout")
    };
    wire.send(&upgrade(target, device, handed))
        .await
        .map_err(failed)?;
    let head = wire.head().await.map_err(failed)?;
    // The firmware looks for these very letters.
    if !head.status_line.contains("HTTP/1.1 101") {
        let (body, _) = wire.body(head.framing()).read(200).await;
        let text = String::from_utf8_lossy(&body);
        let evidence = format!(
            "{}\n{}",
            head.status_line,
            text.lines().next().unwrap_or_default()
        );
        return Err(Finding::fail(&rules::STATUS, evidence.trim_end())
            .serial("E (…) WebSocket: WebSocket handshake failed"));
    }
    let serial = "E (…) WS: Failed to receive server hello";
    let silent = |why: Evidence| Finding::fail(&rules::NO_HELLO, why).serial(serial);
    wire.send(&frame(&greeting(handed)))
        .await
        .map_err(|e| silent((&e).into()))?;
    let (mut stream, read) = wire.into_parts();
    let answer = timeout(PATIENCE, listen(&mut stream, read)).await;
    // The firmware says goodbye, too; without one the server's log has an error.
    let _ = timeout(GOODBYE_TAKES, goodbye(&mut stream)).await;
    match answer {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(Unheard::Silent(why))) => Err(silent(why)),
        Ok(Err(Unheard::Other(text))) => {
            Err(Finding::fail(&rules::BAD_HELLO, text).serial("E (…) WS: Unsupported transport: …"))
        }
        Err(_) => Err(silent((&WireError::TimedOut(PATIENCE)).into())),
    }
}

/// Writes the request, its headers in the order of the firmware's map.
fn upgrade(target: &Target, device: &Device, handed: &Websocket) -> Vec<u8> {
    // The firmware's own key is random; nobody checks how it was made.
    let key = BASE64_STANDARD.encode(
        device
            .uuid
            .as_bytes()
            .first_chunk::<16>()
            .unwrap_or(&[7; 16]),
    );
    let mut text = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", target.path, target.host);
    // A token may hold what it likes; a line break would end the header.
    let token: String = handed.token.chars().filter(|c| !c.is_control()).collect();
    if !token.is_empty() {
        let kind = if token.contains(' ') { "" } else { "Bearer " };
        text.extend(["Authorization: ", kind, &token, "\r\n"]);
    }
    text.extend([
        "Client-Id: ",
        &device.uuid,
        "\r\nConnection: Upgrade\r\nDevice-Id: ",
        &device.mac,
    ]);
    text.extend(["\r\nProtocol-Version: ", &handed.version.to_string()]);
    text.extend([
        "\r\nSec-WebSocket-Key: ",
        &key,
        "\r\nSec-WebSocket-Version: 13",
    ]);
    text.push_str("\r\nUpgrade: websocket\r\n\r\n");
    text.into_bytes()
}

fn greeting(handed: &Websocket) -> String {
    json!({
        "type": "hello",
        "version": handed.version,
        "features": {"mcp": true},
        "transport": "websocket",
        "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
    })
    .to_string()
}

/// Writes a text frame of a client (RFC 6455, section 5.2). It is masked with
/// zeros, for nobody is to be protected from it here.
fn frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut frame = vec![0x81, 0xFE];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

/// Closes with the code of a normal end (1000), masked with zeros. The firmware's
/// own close has no code, for which Python's servers leave a traceback in their
/// log.
async fn goodbye(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    stream
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8])
        .await?;
    stream.shutdown().await
}

/// Reason for which no hello came.
enum Unheard {
    Silent(Evidence),
    Other(String),
}

/// Reads frames until the hello comes.
async fn listen(mut stream: impl AsyncRead + Unpin, mut read: BytesMut) -> Result<String, Unheard> {
    let mut total = 0;
    // Of a text that comes in several frames.
    let mut begun = BytesMut::new();
    loop {
        while let Some((first, payload)) = take_frame(&mut read)? {
            match first & OPCODE {
                TEXT | CONTINUATION if first & LAST == 0 => begun.extend_from_slice(&payload),
                TEXT | CONTINUATION => {
                    begun.extend_from_slice(&payload);
                    let text = String::from_utf8_lossy(&begun.split()).into_owned();
                    let message: Value = serde_json::from_str(&text).unwrap_or_default();
                    if message["type"] == "hello" {
                        return if message["transport"] == "websocket" {
                            Ok(text.chars().take(200).collect())
                        } else {
                            Err(Unheard::Other(text.chars().take(200).collect()))
                        };
                    }
                }
                CLOSE => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    let why =
                        String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                    let code = code.map_or_else(String::new, |code| format!(" {code} {why}"));
                    return Err(Unheard::Silent(format!("close{code}").into()));
                }
                _ => {}
            }
        }
        match stream.read_buf(&mut read).await {
            Ok(0) => return Err(Unheard::Silent((&WireError::Closed(total)).into())),
            Ok(n) => total += n as u64,
            Err(e) => return Err(Unheard::Silent(e.to_string().into())),
        }
        if total > LONGEST as u64 {
            let why = Evidence::both(
                format!("收到 {total} 字节，没有 hello"),
                format!("{total} bytes, and no hello"),
            );
            return Err(Unheard::Silent(why));
        }
    }
}

/// Takes the next whole frame: its first byte and its payload.
fn take_frame(read: &mut BytesMut) -> Result<Option<(u8, BytesMut)>, Unheard> {
    let [first, second, ..] = read[..] else {
        return Ok(None);
    };
    let (length, mut at) = match (second & 0x7F, &read[2..]) {
        (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
        (127, rest) if rest.len() >= 8 => {
            let length = rest
                .first_chunk()
                .map_or(0, |length| u64::from_be_bytes(*length));
            (length, 10)
        }
        (126 | 127, _) => return Ok(None),
        (length, _) => (u64::from(length), 2),
    };
    if length > LONGEST as u64 {
        let why = Evidence::both(
            format!("一帧 {length} 字节"),
            format!("a frame of {length} bytes"),
        );
        return Err(Unheard::Silent(why));
    }
    let mask = second & 0x80 != 0;
    at += if mask { 4 } else { 0 };
    let end = at + usize::try_from(length).unwrap_or(LONGEST);
    if read.len() < end {
        return Ok(None);
    }
    let mut frame = read.split_to(end);
    // No server masks; what one does here is nothing that could be read.
    frame.advance(at);
    Ok(Some((first, frame)))
}
