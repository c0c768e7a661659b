//! Source of what the page shows of this server itself. It is asked on threads that may block.

use crate::event::Event;
use crate::event::lately::Said;
use crate::event::text::Text;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Source of what this server is, and of what it found.
pub(crate) trait ServerSource: Send + Sync + 'static {
    /// Returns what was found wrong and still is, the worst first: a store that cannot be
    /// written, a certificate that runs out, an address that devices cannot reach, a file whose
    /// name is nearly a model's. Each in the words of whoever found it, with what to do about
    /// it. No event of it is a mere hint.
    fn findings(&self) -> Vec<Event>;

    /// Returns what this server is at this moment.
    fn view(&self) -> ServerView;

    /// Returns the last events, the newest first.
    fn lately(&self) -> Vec<Said>;
}

/// This server at one moment.
#[derive(Debug, Clone)]
pub(crate) struct ServerView {
    pub(crate) process: ProcessView,
    pub(crate) listeners: Vec<ListenerView>,
    pub(crate) address: AddressView,
    /// Certificates that answer; none where no TLS is spoken.
    pub(crate) certificates: Vec<CertificateView>,
    pub(crate) backends: Vec<BackendView>,
    pub(crate) store: StoreView,
    /// File of the settings; `None` where there is none.
    pub(crate) file: Option<PathBuf>,
    /// Settings that hold, in the order of the documents.
    pub(crate) settings: Vec<SettingView>,
}

/// This process, and the machine that it runs on.
#[derive(Debug, Clone)]
pub(crate) struct ProcessView {
    /// Version of the program.
    pub(crate) version: &'static str,
    /// Time at which it was built.
    pub(crate) built: SystemTime,
    /// Time at which it was started.
    pub(crate) started: SystemTime,
    /// Number of the process.
    pub(crate) id: u32,
    /// Memory that it holds, in bytes; `None` where the system does not say.
    pub(crate) resident: Option<u64>,
    /// Memory that there is for it, in bytes; `None` where nothing says.
    pub(crate) memory: Option<u64>,
    /// Bound of that memory: the machine's own, or that of a control group.
    pub(crate) memory_of: Text,
    /// Name of the operating system: `Debian GNU/Linux 13 (trixie)`.
    pub(crate) system: String,
    /// Version of its kernel.
    pub(crate) kernel: String,
    /// Kind of processor: `x86_64`.
    pub(crate) processor: &'static str,
    /// Number of processors for this process.
    pub(crate) processors: usize,
    /// True within a container.
    pub(crate) in_container: bool,
    /// Addresses of this machine.
    pub(crate) addresses: Vec<IpAddr>,
}

/// An address that is listened on.
#[derive(Debug, Clone)]
pub(crate) struct ListenerView {
    pub(crate) address: SocketAddr,
    /// `HTTP`, `HTTP + TLS` or `TLS`.
    pub(crate) protocols: &'static str,
    /// True where every connection begins with a PROXY header.
    pub(crate) is_proxied: bool,
    /// True for the admin address.
    pub(crate) is_admin: bool,
}

/// Addresses that devices are handed.
#[derive(Debug, Clone)]
pub(crate) struct AddressView {
    /// OTA address.
    pub(crate) ota: String,
    /// Part of a download address in front of the file's name.
    pub(crate) downloads: String,
    /// Address of the voice server: WebSocket or MQTT; `None` where devices could read none.
    pub(crate) voice: Option<String>,
    /// Address of the vision service.
    pub(crate) vision: String,
    /// Setting that they are made from; `None` where they are made up from this machine.
    pub(crate) setting: Option<&'static str>,
    /// True where each device is handed the address that it has just reached.
    pub(crate) is_by_request: bool,
    /// Findings of the audit of addresses and certificates, hints too.
    pub(crate) audit: Vec<Event>,
}

/// A certificate that answers.
#[derive(Debug, Clone)]
pub(crate) struct CertificateView {
    /// Its file; `None` for one in memory only.
    pub(crate) file: Option<PathBuf>,
    /// Kind and length of its key: `ECDSA 256`.
    pub(crate) key: String,
    /// Host names and IP addresses that it is made for.
    pub(crate) names: Vec<String>,
    /// True where it is signed with its own key.
    pub(crate) is_self_signed: bool,
    /// Begin of its validity, in seconds since 1970.
    pub(crate) not_before: i64,
    /// End of its validity, in seconds since 1970.
    pub(crate) not_after: i64,
    /// Its chain, the certificate itself first.
    pub(crate) chain: Vec<LinkView>,
}

/// One certificate of a chain.
#[derive(Debug, Clone)]
pub(crate) struct LinkView {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// End of its validity, in seconds since 1970.
    pub(crate) not_after: i64,
}

/// A server behind this one.
#[derive(Debug, Clone)]
pub(crate) struct BackendView {
    /// Setting that names it.
    pub(crate) setting: String,
    /// Path whose requests go there.
    pub(crate) path: String,
    /// Its address.
    pub(crate) address: String,
    pub(crate) state: BackendState,
}

/// State of a server behind this one, as far as it is known.
#[derive(Debug, Clone)]
pub(crate) enum BackendState {
    /// Nobody has asked for it yet.
    NotAsked,
    /// It answered the last request.
    Answers,
    /// It did not, and this was said of it.
    Fails(Event),
}

/// Store of what is known of devices.
#[derive(Debug, Clone)]
pub(crate) struct StoreView {
    /// The state folder.
    pub(crate) dir: PathBuf,
    /// Size of its files, in bytes; `None` where there are none.
    pub(crate) bytes: Option<u64>,
    /// Reason why it cannot be written; `None` where it can.
    pub(crate) why: Option<Event>,
    /// True until all of it was read.
    pub(crate) is_reading: bool,
    /// Time for which the oldest news has waited to be written, at most.
    pub(crate) lag: Duration,
    /// Number of devices that are known.
    pub(crate) devices: u64,
}

/// A setting, as it came out.
#[derive(Debug, Clone)]
pub(crate) struct SettingView {
    /// Its key, in dots.
    pub(crate) key: &'static str,
    pub(crate) value: SettingValue,
    /// File and line where it is written; `None` for a default.
    pub(crate) place: Option<String>,
}

/// Value of a setting, as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SettingValue {
    /// A value, as it could be written.
    Text(String),
    /// Words on a value that is made up.
    Words(Text),
    /// A secret that is set.
    Masked,
    /// Devices that are named.
    Devices(Vec<String>),
    /// None.
    Unset,
}
