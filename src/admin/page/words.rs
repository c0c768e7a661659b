//! Words of the pages that are no event's, in both languages. One that lacks a language does
//! not compile.

/// Lists words: `NAME = "Chinese", "English";`
macro_rules! words {
    ($($name:ident = $zh:literal, $en:literal;)*) => {
        $(pub(super) const $name: $crate::event::text::Text = $crate::event::text::Text::new($zh, $en);)*
    };
}

pub(super) use words;

words! {
    FLEET = "设备概况", "Fleet";
    DEVICES = "设备", "Devices";
    FIRMWARE = "固件", "Firmware";
    SERVER = "服务器", "Server";
    ACTS = "操作记录", "Acts";
    SKIP = "跳到正文", "Skip to the content";
    OTHER_LANGUAGE = "English", "中文";
    SIGN_OUT = "退出登录", "Sign out";
    MAY_LOOK = "（只能查看）", " (may look only)";
    BACK = "返回", "Back";
    REFUSED = "没有完成", "That was not done";
    PAGES = "翻页", "Pages";
    FIRST_PAGE = "第一页", "First page";
    NEXT_PAGE = "下一页", "Next page";
    NOT_FOUND = "这里什么也没有", "There is nothing here";
}
