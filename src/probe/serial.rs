//! Lines that a device writes to its serial port where something goes wrong, by the
//! code that meets it: `EspHttp`, `Ml307Http` and `HttpClient` of esp-ml307, and
//! `Ota` of the firmware.

use super::line::{Asked, HttpStack, Kind, Line};

/// Line of `EspHttp` for every head that it does not get or take.
pub(crate) const NO_HEADERS: &str = "E (…) EspHttp: Failed to fetch headers";
/// Line for a body that is no JSON, or not all of it.
pub(crate) const NO_JSON: &str = "E (…) Ota: Failed to parse JSON response";
/// Line for a download that does not say how long it is.
pub(crate) const NO_LENGTH: &str = "E (…) Ota: Failed to get content length";
/// End of a program that read a number from a text that is none: nobody catches the
/// exception.
pub(crate) const NO_NUMBER: &str =
    "terminate called after throwing an instance of 'std::invalid_argument'\nabort() was called …";
/// End of a program that read a number that is too big.
pub(crate) const HUGE_NUMBER: &str =
    "terminate called after throwing an instance of 'std::out_of_range'\nabort() was called …";

/// Line of `HttpClient` for any connection that did not come about.
const NOT_CONNECTED: &str = "E (…) HttpClient: TCP connection failed";

/// Returns the line for an address that the client cannot take apart.
pub(crate) fn bad_address(kind: Kind, text: &str) -> String {
    match kind.http() {
        HttpStack::EspHttp => format!("E (…) HTTP_CLIENT: Error parse url {text}"),
        HttpStack::Ml307Http if speaks_chinese(kind) => "E (…) Ml307Http: 无效的URL格式".to_owned(),
        HttpStack::Ml307Http => "E (…) Ml307Http: Invalid URL format".to_owned(),
        HttpStack::StrictHttpClient | HttpStack::HttpClient => {
            format!("E (…) HttpClient: Invalid URL format: {text}")
        }
    }
}

/// Returns the line for a port that is none.
pub(crate) fn bad_port(kind: Kind, text: &str, port: &str) -> String {
    match kind.http() {
        HttpStack::EspHttp => bad_address(kind, text),
        // The modem is given the host with it.
        HttpStack::Ml307Http => {
            request_error(kind, "Connection to server failed", "连接服务器失败")
        }
        HttpStack::StrictHttpClient | HttpStack::HttpClient => {
            format!("E (…) HttpClient: Invalid port: {port}")
        }
    }
}

/// Returns the line for a name that has no address.
pub(crate) fn no_address(kind: Kind, name: &str, tls: bool) -> String {
    match kind.http() {
        HttpStack::Ml307Http => {
            request_error(kind, "Domain name resolution failed", "域名解析失败")
        }
        _ if !kind.verifies() => NOT_CONNECTED.to_owned(),
        HttpStack::StrictHttpClient | HttpStack::HttpClient if !tls => {
            "E (…) EspTcp: Failed to get host by name".to_owned()
        }
        _ => format!("E (…) esp-tls: couldn't get hostname for :{name}: getaddrinfo() returns 202"),
    }
}

/// Returns the line for an address that does not answer.
pub(crate) fn not_connected(kind: Kind) -> String {
    match kind.http() {
        HttpStack::EspHttp => {
            "E (…) EspHttp: Failed to perform HTTP request: ESP_ERR_HTTP_CONNECT".to_owned()
        }
        HttpStack::Ml307Http => {
            request_error(kind, "Connection to server failed", "连接服务器失败")
        }
        HttpStack::StrictHttpClient | HttpStack::HttpClient => NOT_CONNECTED.to_owned(),
    }
}

/// Returns the line for a status that the device does not take.
pub(crate) fn status(kind: Kind, asked: Asked, code: u16) -> String {
    if kind.opens_no(code) {
        return format!("E (…) Ml307Http: HTTP请求失败，状态码: {code}");
    }
    match asked {
        Asked::Check if kind.reads_a_check_under(code) => NO_JSON.to_owned(),
        Asked::Check => format!("E (…) Ota: Failed to check version, status code: {code}"),
        Asked::Download if kind.flashes_under(code) => no_image(),
        Asked::Download => format!("E (…) Ota: Failed to get firmware, status code: {code}"),
    }
}

/// Returns the line for a body that was flashed, and is no image.
pub(crate) fn no_image() -> String {
    "E (…) Ota: Failed to write OTA data: …".to_owned()
}

/// Returns the line for a reply that tells no length, or none above 0.
pub(crate) fn no_length(kind: Kind, asked: Asked) -> &'static str {
    match asked {
        _ if kind.opens_with_the_head() => NO_HEADERS,
        Asked::Check => NO_JSON,
        Asked::Download => NO_LENGTH,
    }
}

/// Returns the line for a head that does not come in time.
pub(crate) fn no_head(kind: Kind) -> &'static str {
    match kind.http() {
        HttpStack::EspHttp => NO_HEADERS,
        HttpStack::Ml307Http if speaks_chinese(kind) => "E (…) Ml307Http: 等待HTTP头部接收超时",
        HttpStack::Ml307Http => "E (…) Ml307Http: Timeout waiting for HTTP headers to be received",
        HttpStack::StrictHttpClient | HttpStack::HttpClient => {
            "E (…) HttpClient: Wait for HTTP headers receive timeout"
        }
    }
}

/// Returns the line for a reply that is no HTTP.
pub(crate) fn no_http(kind: Kind) -> String {
    match kind.http() {
        HttpStack::EspHttp => NO_HEADERS.to_owned(),
        HttpStack::Ml307Http => {
            request_error(kind, "Data reception parsing failed", "接收数据解析失败")
        }
        HttpStack::StrictHttpClient | HttpStack::HttpClient => {
            "E (…) HttpClient: Invalid status line: …".to_owned()
        }
    }
}

/// Returns the line for HTTP that cannot be read to its end.
pub(crate) fn broken_http(kind: Kind) -> String {
    match kind.http() {
        HttpStack::EspHttp | HttpStack::Ml307Http => no_http(kind),
        HttpStack::StrictHttpClient | HttpStack::HttpClient => {
            "E (…) HttpClient: HTTP parse error".to_owned()
        }
    }
}

/// Returns the line for a body that ends, or rests, in the middle. A check's that
/// is shorter than its length ends the program (`assert` in `EspHttp::GetBody`,
/// since esp-ml307 2.1 `ReadAll`).
pub(crate) fn half_a_body(kind: Kind, asked: Asked, rests: bool) -> String {
    let text = match (kind.http(), asked) {
        (HttpStack::EspHttp, Asked::Check) if kind.opens_with_the_head() => {
            "assert failed: … EspHttp::GetBody() esp_http.cc:…"
        }
        (HttpStack::EspHttp, Asked::Check) => "assert failed: … EspHttp::ReadAll() esp_http.cc:…",
        (HttpStack::Ml307Http, _) if rests && speaks_chinese(kind) => {
            "E (…) Ml307Http: 等待HTTP内容接收超时"
        }
        (HttpStack::Ml307Http, _) if rests => {
            "E (…) Ml307Http: Timeout waiting for HTTP content to be received"
        }
        (HttpStack::StrictHttpClient | HttpStack::HttpClient, _) if rests => {
            "E (…) HttpClient: Wait for HTTP content receive timeout"
        }
        // Before esp-ml307 3.1 what came was taken for all of it.
        (HttpStack::StrictHttpClient | HttpStack::HttpClient, _) if kind.line >= Line::V1_8_2 => {
            "E (…) HttpClient: Connection closed prematurely, expected … bytes"
        }
        (_, Asked::Check) => NO_JSON,
        (_, Asked::Download) => "E (…) Ota: Failed to read HTTP data: …",
    };
    text.to_owned()
}

/// Returns the line of `Ml307Http` for an error that its modem reports. Its words
/// were translated one after the other (esp-ml307 3.2.3, 3.3.5).
fn request_error(kind: Kind, en: &str, zh: &str) -> String {
    if speaks_chinese(kind) {
        format!("E (…) Ml307Http: HTTP请求错误: {zh}")
    } else if kind.line < Line::V1_9_2 {
        format!("E (…) Ml307Http: HTTP request error: {zh}")
    } else {
        format!("E (…) Ml307Http: HTTP request error: {en}")
    }
}

fn speaks_chinese(kind: Kind) -> bool {
    kind.line < Line::V1_8_5
}
