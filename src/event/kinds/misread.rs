//! Kinds of what a device misreads in an address: reasons inside other events. `effect`, `advice`
//! and `form` are there where the whole is told, and not only what is wrong.

use super::super::Kind;
use super::why;

/// Makes a kind that says what becomes of the device and how to write the address, too.
macro_rules! misread {
    ($id:literal, [$($field:literal),*], $zh:literal, $en:literal $(,)?) => {
        why(
            $id,
            &[$($field,)* "effect?", "advice?", "form?"],
            concat!($zh, "{，|effect|}{；|advice|}{|form|}"),
            concat!($en, "{, |effect|}{; |advice|}{|form|}"),
        )
    };
}

kinds! { MISREAD:
    /// No scheme.
    MISREAD_NO_SCHEME = misread!("misread.no-scheme", ["part"],
        "没有协议，设备不把 {part} 当作地址", "it has no scheme, and devices take {part} for no address");
    /// A scheme that devices do not speak there.
    MISREAD_SCHEME = misread!("misread.scheme", ["part", "wanted"],
        "协议必须是小写的 {wanted}，而不是 {part}", "its scheme must be {wanted}, in lower case, and not {part}");
    /// No host.
    MISREAD_NO_HOST = misread!("misread.no-host", ["part"],
        "{part} 中没有主机名", "it names no host in {part}");
    /// A sign that no host name has.
    MISREAD_HOST_SIGN = misread!("misread.host-sign", ["part"],
        "主机名中有 {part}，主机名不能含有它", "its host holds {part}, which no host name has");
    /// An IPv6 literal.
    MISREAD_IPV6 = misread!("misread.ipv6", ["part"],
        "{part} 是 IPv6 地址，设备在第一个冒号处把它切断", "{part} is an IPv6 address, which devices cut at its first colon");
    /// A user name.
    MISREAD_USER = misread!("misread.user", ["part"],
        "设备不认识用户名，在第一个冒号处把 {part} 切断", "devices know no user name and cut {part} at its first colon");
    /// Nothing where the port is looked for.
    MISREAD_NO_PORT = misread!("misread.no-port", ["first"],
        "设备把{first}当作端口，而那里什么也没有", "devices take {first} for the port, and nothing stands there");
    /// No number where the port is looked for.
    MISREAD_NO_NUMBER = misread!("misread.no-number", ["first", "part"],
        "设备把{first}当作端口，而 {part} 不是数字", "devices take {first} for the port, and {part} is no number");
    /// A number that is too large.
    MISREAD_HUGE = misread!("misread.huge", ["first", "part"],
        "设备把{first}当作端口，而 {part} 大于 2147483647", "devices take {first} for the port, and {part} is above 2147483647");
    /// A number with something around it.
    MISREAD_SOME_PORT = misread!("misread.some-port", ["first", "part", "read"],
        "设备把{first}当作端口，从 {part} 中有的读出 {read}，有的什么也读不出",
        "devices take {first} for the port, and of {part} some read {read}, others nothing");
    /// A number that is no port as it stands.
    MISREAD_OTHER_PORT = misread!("misread.other-port", ["first", "part", "read"],
        "设备把{first}当作端口，从 {part} 中读出 {read}，而它本身不是 1 到 65535 的端口",
        "devices take {first} for the port, and read {read} from {part}, which is no port from 1 to 65535 as it stands");
    /// A colon of the path.
    MISREAD_COLON_IN_PATH = misread!("misread.colon-in-path", ["part"],
        "没有写端口，设备把路径中冒号后面的 {part} 当作端口",
        "it names no port, and devices take what stands behind the colon in its path, {part}, for one");
    /// A sign that breaks the request.
    MISREAD_PATH_SIGN = misread!("misread.path-sign", ["part"],
        "路径中有 {part}，它会破坏设备的请求", "its path holds {part}, which breaks the device's request");
    /// A name that is too long.
    MISREAD_HOST_LONG = misread!("misread.host-long", ["part", "name", "label"],
        "主机名 {part} 无效：最多 {name} 字节，两个点之间最多 {label} 字节",
        "its host {part} is no name: that has at most {name} bytes, and {label} between two dots");
    /// An address that is too long.
    MISREAD_LONG = misread!("misread.long", ["part", "most"],
        "它有 {part} 字节，而设备最多接受 {most}", "it has {part} bytes, and devices take at most {most}");
    /// No host.
    URL_HOST = misread!("url.host", [], "没有主机名", "it names no host");
    /// Half of two brackets.
    URL_BRACKET = misread!("url.bracket", [],
        "方括号不成对：IPv6 地址请写成 [::1] 这样，其他主机名不带方括号",
        "a bracket stands in it without the other one: write an IPv6 address as [::1], and any other host without brackets");
    /// No port.
    URL_PORT = misread!("url.port", [], "端口必须是 1 到 65535 的数字", "its port must be a number from 1 to 65535");
    /// Something that cannot be kept.
    URL_EXTRA = misread!("url.extra", [],
        "必须是 scheme://host[:port]/path，不含用户名、'?' 或 '#'",
        "it must be scheme://host[:port]/path, without user name, '?' or '#'");
    /// A sign that no address has.
    URL_SIGN = misread!("url.sign", ["sign"],
        "含有 {sign}，地址不能含有它：请删去，在路径中则写成 %XX",
        "it holds {sign}, which no address may hold: take it out, or write it as %XX in a path");
    /// A sign that devices do not know.
    URL_NOT_ASCII = misread!("url.not-ascii", ["sign"],
        "含有 {sign}，地址只能用 ASCII 字符：主机名请写 ASCII 形式（xn--...），路径请用百分号编码",
        "it holds {sign}, and addresses are written in ASCII: write a host name in its ASCII form (xn--...), and a path percent-encoded");
}
