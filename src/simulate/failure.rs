//! Errors of a check or a download, as they are counted.

use crate::event::text::{Lang, Text};
use crate::probe::wire::WireError;
use crate::util::terminal::shown;
use std::io;
use xiaozhi_device::redact;

/// Kind of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FailureKind {
    /// Nobody listens.
    Refused,
    /// No connection within a device's time.
    ConnectTimeout,
    /// No way there, or another error while connecting.
    Unreachable,
    /// A name that leads nowhere.
    Name,
    /// The handshake, the certificate, or a broken record.
    Tls,
    /// An answer with another status than 200.
    Status(u16),
    /// The connection ended, or broke, before the reply did.
    CutShort,
    /// Nothing came for as long as a device waits.
    Silent,
    /// No HTTP, or with a head or a chunk that nobody can read.
    NotHttp,
    /// A reply to a check that a device makes nothing of.
    BadReply,
    /// An image's address that a device cannot take apart.
    BadAddress,
    /// An image without a length that the device finds.
    NoLength,
    /// An image longer than the device's whole flash.
    TooLong,
    /// No image, or one that is damaged.
    ImageDamaged,
    /// A good image that is none for this device: another chip's, too long.
    ImageUnfit,
    /// An update that leads nowhere, again and again.
    Loop,
    /// A version that restarts the device at every check.
    Restarts,
    /// This machine has no port left for another connection.
    OutOfPorts,
    /// This process may not open another file.
    OutOfFiles,
}

impl FailureKind {
    /// Returns whether this machine is to blame, and the error says nothing of the
    /// server.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::OutOfPorts | Self::OutOfFiles)
    }

    /// Returns its name in JSON.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Refused => "connect refused",
            Self::ConnectTimeout => "connect timeout",
            Self::Unreachable => "unreachable",
            Self::Name => "name not found",
            Self::Tls => "tls",
            Self::Status(status) => return format!("status {status}"),
            Self::CutShort => "cut short",
            Self::Silent => "no answer",
            Self::NotHttp => "not http",
            Self::BadReply => "bad reply",
            Self::BadAddress => "bad image address",
            Self::NoLength => "no content-length",
            Self::TooLong => "image too long",
            Self::ImageDamaged => "image damaged",
            Self::ImageUnfit => "image unfit",
            Self::Loop => "loop",
            Self::Restarts => "version restarts device",
            Self::OutOfPorts => "out of local ports",
            Self::OutOfFiles => "out of files",
        }
        .to_owned()
    }

    /// Returns its name in a few words.
    pub(crate) fn name(self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Status(status), Lang::Zh) => format!("状态码 {status}"),
            (_, Lang::Zh) => self.chinese().to_owned(),
            (_, Lang::En) => self.key(),
        }
    }

    fn chinese(self) -> &'static str {
        match self {
            Self::Refused => "连接被拒绝",
            Self::ConnectTimeout => "连接超时",
            Self::Unreachable => "无法到达",
            Self::Name => "域名无法解析",
            Self::Tls => "TLS 失败",
            Self::Status(_) => "状态码",
            Self::CutShort => "连接中途断开",
            Self::Silent => "没有应答",
            Self::NotHttp => "不是 HTTP",
            Self::BadReply => "应答无法理解",
            Self::BadAddress => "固件地址无效",
            Self::NoLength => "缺少 Content-Length",
            Self::TooLong => "固件过长",
            Self::ImageDamaged => "固件损坏",
            Self::ImageUnfit => "固件不适合设备",
            Self::Loop => "反复升级",
            Self::Restarts => "版本号使设备重启",
            Self::OutOfPorts => "本机端口用尽",
            Self::OutOfFiles => "本机文件句柄用尽",
        }
    }

    /// Says what it means, and what to do.
    pub(crate) fn remedy(self, lang: Lang) -> &'static str {
        let text = match self {
            Self::Refused => Text::new(
                "服务器未在此端口监听，或连接队列已满",
                "the server does not listen there, or its queue of connections is full",
            ),
            Self::ConnectTimeout => Text::new(
                "10 秒内未能建立连接：服务器或防火墙丢弃了连接；检查 net.core.somaxconn 和服务器的连接上限",
                "no connection within 10 s: the server or a firewall drops them; see net.core.somaxconn and the \
                 server's own limit of connections",
            ),
            Self::Unreachable => {
                Text::new("检查路由和防火墙", "check routes and firewalls on the way")
            }
            Self::Name => Text::new(
                "检查 OTA 地址或固件地址中的域名和 DNS；域名尚未生效时使用 --resolve",
                "check the name in the OTA address, or in the image's, and DNS; for a name that is not there yet use \
                 --resolve",
            ),
            Self::Tls => Text::new(
                "用 probe 查看原因和处理方法；若证书由私有 CA 签发，使用 --ca 文件；自签名证书使用 --insecure（真实的 Wi-Fi \
                 设备会拒绝）",
                "`probe` says why, and what to do; for a private CA use --ca FILE, for a self-signed certificate \
                 --insecure (real Wi-Fi devices refuse such a one)",
            ),
            Self::Status(_) => Text::new(
                "设备只接受 200，不跟随跳转：检查地址和服务器日志",
                "devices take nothing but 200 and follow no redirect: check the address, and the server's log",
            ),
            Self::CutShort => Text::new(
                "服务器或中间的代理断开了连接：检查其超时设置和日志；这些设备都来自同一个地址，连接紧张时 xiaozhi-ota 会限制单个地址，\
                 测试时可把本机地址列入服务器的 gateway.behind_proxy",
                "the server, or a proxy on the way, cut the connection: see its timeouts and its log. All these devices come \
                 from one address, which xiaozhi-ota holds to its share when connections run short: for such a test, list \
                 this machine's address in the server's gateway.behind_proxy",
            ),
            Self::Silent => Text::new(
                "服务器没有应答（设备等待 30 秒，TLS 握手等待 10 秒）：服务器过载或卡住",
                "nothing came for as long as a device waits (30 s; 10 s for a handshake): the server is overloaded, or it hangs",
            ),
            Self::NotHttp => Text::new(
                "检查地址的协议（http 还是 https）和端口",
                "check scheme (http or https) and port of the address",
            ),
            Self::BadReply => Text::new(
                "这不是 OTA 接口的应答：检查地址，用 probe 查看详情",
                "this is no reply of an OTA interface: check the address; `probe` shows it",
            ),
            Self::BadAddress => Text::new(
                "检查服务器的公开地址设置，用 probe 查看详情",
                "check the public address that the server is told; `probe` shows it",
            ),
            Self::NoLength => Text::new(
                "设备需要 Content-Length：关闭分块传输和压缩",
                "devices need Content-Length: turn chunked replies and compression off",
            ),
            Self::TooLong => Text::new(
                "固件大于设备的闪存：应使用 build/xiaozhi.bin",
                "it is longer than the flash: use the app image, build/xiaozhi.bin",
            ),
            Self::ImageDamaged => Text::new(
                "收到的固件无法启动：重新复制固件文件，检查中间的代理和缓存",
                "what came would not boot: copy the file again, and look at proxies and caches on the way",
            ),
            Self::ImageUnfit => Text::new(
                "固件是好的，但不适合这种设备（芯片、分区大小、assets）：检查固件文件名中的型号，或使用 --boards 型号@芯片:比例",
                "the image is good, and not for this device (chip, slot, assets): check the model in the file's name, or use \
                 --boards MODEL@CHIP:WEIGHT",
            ),
            Self::Loop => Text::new(
                "设备每次启动都会再次升级：固件文件名中的版本必须与固件内的版本一致",
                "a device would update at every boot: the version in the file's name must be the one inside",
            ),
            Self::Restarts => Text::new(
                "版本号的每一段都必须以数字开头（例如 1.7.0）",
                "each part of a version must begin with a number, as in 1.7.0",
            ),
            Self::OutOfPorts => Text::new(
                "这是模拟器所在机器的限制，与服务器无关；设备稍后重试。可执行 sysctl net.ipv4.ip_local_port_range=\"1024 65535\" \
                 net.ipv4.tcp_tw_reuse=1，或使用 --ramp",
                "a limit of this machine, not of the server; the devices waited. Use sysctl \
                 net.ipv4.ip_local_port_range=\"1024 65535\" net.ipv4.tcp_tw_reuse=1, or --ramp",
            ),
            Self::OutOfFiles => Text::new(
                "这是模拟器所在机器的限制，与服务器无关；设备稍后重试。可提高 ulimit -Hn",
                "a limit of this machine, not of the server; the devices waited. Raise ulimit -Hn",
            ),
        };
        text.to(lang)
    }
}

/// Error that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// Details, fit for a terminal.
    pub(super) detail: Option<String>,
}

/// Length of the longest detail that is kept, in characters.
const LONGEST_DETAIL: usize = 200;

impl Failure {
    pub(super) fn new(kind: FailureKind) -> Self {
        Self { kind, detail: None }
    }

    /// Makes a failure with what was seen, of which a part may be the server's own words.
    pub(super) fn with(kind: FailureKind, detail: impl AsRef<str>) -> Self {
        let detail = shown(&redact::said(detail.as_ref())).replace('\n', "; ");
        Self {
            kind,
            detail: Some(detail.chars().take(LONGEST_DETAIL).collect()),
        }
    }

    /// Makes a failure of a connection that was not made.
    pub(super) fn connecting(error: &io::Error) -> Self {
        use nix::errno::Errno;
        let errno = error.raw_os_error().map(Errno::from_raw);
        let kind = match (errno, error.kind()) {
            (Some(Errno::EADDRNOTAVAIL), _) => FailureKind::OutOfPorts,
            (Some(Errno::EMFILE | Errno::ENFILE), _) => FailureKind::OutOfFiles,
            (_, io::ErrorKind::ConnectionRefused) => FailureKind::Refused,
            (_, io::ErrorKind::TimedOut) => FailureKind::ConnectTimeout,
            _ => return Self::with(FailureKind::Unreachable, error.to_string()),
        };
        Self::new(kind)
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        let kind = match &error {
            WireError::TimedOut(_) => FailureKind::Silent,
            WireError::NotHttp(_) | WireError::LongHead | WireError::Chunk(_) => {
                FailureKind::NotHttp
            }
            // So rustls says that a record is broken.
            WireError::Io(e) if e.kind() == io::ErrorKind::InvalidData => FailureKind::Tls,
            WireError::Closed(_) | WireError::Io(_) => FailureKind::CutShort,
        };
        Self::with(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_does_not_reach_the_terminal_as_it_is() {
        let failure = Failure::with(
            FailureKind::Tls,
            format!("a\n\x1b[2J\u{2067}{}", "x".repeat(5000)),
        );
        let detail = failure.detail.unwrap_or_default();
        assert!(detail.starts_with(r"a; \u{1b}[2J\u{2067}x"), "{detail}");
        assert_eq!(detail.chars().count(), LONGEST_DETAIL);
    }

    #[test]
    fn shortages_of_this_machine_are_no_faults_of_the_server() {
        let of = |errno: i32| Failure::connecting(&io::Error::from_raw_os_error(errno)).kind;
        assert_eq!(of(nix::libc::EADDRNOTAVAIL), FailureKind::OutOfPorts);
        assert_eq!(of(nix::libc::EMFILE), FailureKind::OutOfFiles);
        assert_eq!(of(nix::libc::ECONNREFUSED), FailureKind::Refused);
        assert_eq!(of(nix::libc::EHOSTUNREACH), FailureKind::Unreachable);
        assert!(FailureKind::OutOfPorts.is_ours() && !FailureKind::Refused.is_ours());
    }
}
