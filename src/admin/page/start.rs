//! Part of the first page: how a device is connected; open for whoever has none yet.

use super::reader::Reader;
use super::show::number;
use super::words::words;
use crate::admin::fleet_source::Start;
use crate::event::shell;
use maud::{Markup, html};

words! {
    TITLE = "还没有设备签到过", "No device has checked in yet";
    AGAIN = "怎样连接设备", "How to connect a device";
    FIRMWARE = "放入固件", "Put firmware here";
    FOLDER = "文件名为 型号_版本.bin（例如 bread-compact-wifi_1.7.0.bin；型号就是设备报告的板子），放在这个目录里（写完即生效，不必重启）：",
        "Name a file MODEL_VERSION.bin (bread-compact-wifi_1.7.0.bin, say; the model is the board that a device reports), and put it into this folder. It counts as soon as it is whole, without a restart:";
    READY = "已可下发的文件：", "Files that are ready to be offered:";
    TO_FIRMWARE = "或者在固件页上传", "Or upload it on the page of firmware";
    ADDRESS = "把这个地址填进设备", "Type this address into a device";
    HOW = "设备配网时会打开热点 Xiaozhi-…：连上它，打开 http://192.168.4.1，在“高级选项”中填写“自定义 OTA 地址”，保存后重启。没有这一栏的固件，地址是编译时写入的（CONFIG_OTA_URL）。",
        "While a device is set up it opens a hotspot, Xiaozhi-…: join it, open http://192.168.4.1, and under Advanced fill in Custom OTA URL; save, and restart the device. In firmware without that field the address is compiled in (CONFIG_OTA_URL).";
    TRY = "没有设备也可以试", "Try it without a device";
    PROBE = "这条命令扮演一台设备，逐步说明哪里会失败。请在设备所在的网络里运行，而不只是在本机：",
        "This command plays a device, and says at which step one would fail. Run it where the devices are, not on this machine alone:";
    THEN = "设备每次启动都会签到，之后就会出现在这里。", "A device checks in at every boot, and stands here from then on.";
}

/// Says what to do first.
pub(super) fn steps(reader: &Reader, start: &Start) -> Markup {
    html! {
        section id="start" data-live aria-labelledby="start-title" {
            h2 id="start-title" { (reader.say(TITLE)) }
            (guide(reader, start))
        }
    }
}

/// Says the same to whoever has devices, and wants to connect another one.
pub(super) fn again(reader: &Reader, start: &Start) -> Markup {
    html! {
        details id="connect" {
            summary { (reader.say(AGAIN)) }
            (guide(reader, start))
        }
    }
}

fn guide(reader: &Reader, start: &Start) -> Markup {
    let url = shell::quoted(&start.ota_url);
    html! {
            ol {
                li {
                    h3 { (reader.say(FIRMWARE)) }
                    p { (reader.say(FOLDER)) }
                    pre tabindex="0" { bdi { (start.folder) "/" } }
                    @if start.ready > 0 {
                        p { (reader.say(READY)) " " (number(start.ready as u64)) }
                    }
                    p { a href="/firmware" { (reader.say(TO_FIRMWARE)) } }
                }
                li {
                    h3 { (reader.say(ADDRESS)) }
                    pre tabindex="0" { bdi { (start.ota_url) } }
                    p { (reader.say(HOW)) }
                }
                li {
                    h3 { (reader.say(TRY)) }
                    p { (reader.say(PROBE)) }
                    pre tabindex="0" { "xiaozhi-ota probe " bdi { (url) } }
                }
            }
            p { (reader.say(THEN)) }
    }
}
