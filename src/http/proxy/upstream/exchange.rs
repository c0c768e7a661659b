//! One request over a connection, and its answer.

use super::super::backend::{reason, why_none};
use super::super::first_reply::{Foreign, is_complaint};
use super::no_reply::{LONGEST, NoReply, SHOWN};
use super::pool::Stream;
use crate::event::event;
use crate::util::http_answer::{Answer, AnswerReader, Odd};
use hyper::StatusCode;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use tokio::io::ReadBuf;

/// Number of bytes that are read at once.
const READ: usize = 4096;

/// Reason why a connection brought no answer.
pub(super) enum Broken {
    /// It ended, or could not be written to, before anything came.
    Unanswered(io::Error),
    Other(NoReply),
}

/// Sends a request, and reads its answer, which may come before the request has gone.
pub(super) async fn exchange(
    connection: &mut dyn Stream,
    request: &[u8],
    is_new: bool,
) -> Result<Answer, Broken> {
    let mut reader = AnswerReader::new(LONGEST);
    let (mut sent, mut unsent) = (0, None);
    let answered = poll_fn(|cx| {
        while sent < request.len() && unsent.is_none() {
            let rest = request.get(sent..).unwrap_or_default();
            match Pin::new(&mut *connection).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => unsent = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => sent += written,
                // Who reads no more may have answered before.
                Poll::Ready(Err(error)) => unsent = Some(error),
                Poll::Pending => break,
            }
        }
        if unsent.is_none()
            && let Poll::Ready(Err(error)) = Pin::new(&mut *connection).poll_flush(cx)
        {
            unsent = Some(error);
        }
        loop {
            let mut space = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut *connection).poll_read(cx, &mut buffer));
            if let Err(error) = read {
                return Poll::Ready(Err(if reader.is_empty() {
                    Broken::Unanswered(unsent.take().unwrap_or(error))
                } else {
                    Broken::Other(NoReply::Cut(reason(&error)))
                }));
            }
            let came = buffer.filled();
            if came.is_empty() {
                return Poll::Ready(reader.end().map_err(|odd| match odd {
                    Odd::Nothing => Broken::Unanswered(unsent.take().unwrap_or_else(|| {
                        io::Error::new(io::ErrorKind::ConnectionReset, Odd::Nothing)
                    })),
                    odd => Broken::Other(broken(odd)),
                }));
            }
            if is_new
                && reader.is_empty()
                && let Some(foreign) = Foreign::judge(came)
            {
                let foreign = io::Error::new(io::ErrorKind::InvalidData, foreign);
                return Poll::Ready(Err(Broken::Other(NoReply::Unreached(why_none(&foreign)))));
            }
            match reader.take(came) {
                Ok(None) => {}
                Ok(Some(answer)) => return Poll::Ready(Ok(answer)),
                Err(odd) => return Poll::Ready(Err(Broken::Other(broken(odd)))),
            }
        }
    });
    let mut answer = answered.await?;
    answer.is_kept &= sent == request.len() && unsent.is_none();
    if is_new && answer.status == StatusCode::BAD_REQUEST && is_complaint(&answer.body) {
        return Err(Broken::Other(NoReply::Unreached(
            event!(BACKEND_TLS).into(),
        )));
    }
    Ok(answer)
}

fn broken(odd: Odd) -> NoReply {
    match odd {
        Odd::NoHttp(error) => NoReply::Unreached(event!(BACKEND_NO_HTTP, error = error).into()),
        Odd::Coded(coding) => NoReply::Coded(coding.chars().take(SHOWN).collect()),
        Odd::TooBig => NoReply::TooBig,
        Odd::Nothing | Odd::Cut => NoReply::Cut(odd.to_string()),
    }
}
