//! Patience of a command with the server that it asks. An answer may take as long as bytes of
//! it come: a million devices are many. A server that takes a connection and says nothing is
//! left soon, with words, and not by whoever waits for the command: a container's check has a
//! few seconds.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Time for a connection: a network that loses its first packet sends it again within 3 s.
const CONNECT: Duration = Duration::from_secs(5);

/// Time that a server has for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Longest time without a byte.
    silence: Duration,
    /// Time at which all is to be over.
    until: Option<Instant>,
}

impl Patience {
    /// Time for what needs no thread, disk or lock of the server: one that lives says it at
    /// once, whatever else it does.
    pub(super) const GREETING: Self = Self::silence(5);
    /// Time for what is looked for: of a million devices a second or two, beside a few others
    /// who look.
    pub(super) const ANSWER: Self = Self::silence(20);
    /// Time for an order, which is written to the disk before it is acknowledged.
    pub(super) const ORDER: Self = Self::silence(30);

    const fn silence(seconds: u64) -> Self {
        Self {
            silence: Duration::from_secs(seconds),
            until: None,
        }
    }

    /// Returns one that is over after `span`, whatever comes until then.
    pub(super) fn within(span: Duration) -> Self {
        Self {
            silence: span,
            until: Instant::now().checked_add(span),
        }
    }

    /// Returns the time that a server has, in seconds.
    pub(super) fn seconds(self) -> String {
        self.silence.as_secs_f64().to_string()
    }

    /// Returns the time that is left for the next byte. An error where there is none.
    fn left(self) -> io::Result<Duration> {
        let left = self.until.map_or(self.silence, |until| {
            until.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left.min(self.silence))
    }

    /// Connects to the first of some addresses that takes a connection.
    ///
    /// # Errors
    ///
    /// That of the last one.
    pub(super) fn connect(self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match TcpStream::connect_timeout(address, self.left()?.min(CONNECT)) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// A connection on which nobody waits longer than that.
#[derive(Debug)]
pub(super) struct PatientStream {
    pub(super) tcp: TcpStream,
    pub(super) patience: Patience,
}

/// Tells whether a socket says that its time is over.
fn is_over(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn timed<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| {
        if is_over(&error) {
            io::ErrorKind::TimedOut.into()
        } else {
            error
        }
    })
}

impl Read for PatientStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(self.patience.left()?))?;
        timed(self.tcp.read(buffer))
    }
}

impl Write for PatientStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(self.patience.left()?))?;
        timed(self.tcp.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A connection, and its other end.
    fn pair(patience: Patience) -> (PatientStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tcp = patience.connect(&[address]).unwrap();
        (
            PatientStream { tcp, patience },
            listener.accept().unwrap().0,
        )
    }

    #[test]
    fn a_silence_is_over_and_a_slow_answer_is_not() {
        let silence = Duration::from_millis(200);
        let (mut stream, mut other) = pair(Patience {
            silence,
            until: None,
        });
        let mut bytes = [0; 2];
        // Each byte renews it, however long they take in all.
        let begun = Instant::now();
        while begun.elapsed() < 2 * silence {
            other.write_all(b"x").unwrap();
            assert_eq!(stream.read(&mut bytes).unwrap(), 1);
        }
        let begun = Instant::now();
        let error = stream.read(&mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= silence / 2);
    }

    #[test]
    fn a_span_is_over_whatever_comes() {
        let (mut stream, mut other) = pair(Patience::within(Duration::from_millis(300)));
        let drip = thread::spawn(move || while other.write_all(b"x").is_ok() {});
        let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let patience = stream.patience;
        let address = stream.tcp.peer_addr().unwrap();
        drop(stream);
        drip.join().unwrap();
        let error = patience.connect(&[address]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(patience.seconds(), "0.3");
    }
}
