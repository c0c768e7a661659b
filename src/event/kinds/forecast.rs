//! Forecasts: what known devices would be told of a file, in the words of commands.

use super::super::Kind;
use super::why;

kinds! { FORECASTS:
    /// Numbers of devices, by whether they would get a file.
    FORECAST = why("forecast", &["of_model", "gets", "runs?", "held?"],
        "它面向的已知设备有 {of_model} 台，其中 {gets} 台下次检查时会得到它{，|runs| 台已在运行它}{，|held| 台因上游的应答而不下发}",
        "known devices that it is for: {of_model}; would get it at their next check: {gets}{; run it already: |runs|}{; held back by \
         what the upstream says: |held|}");
    /// No device would.
    FORECAST_NONE = why("forecast.none", &["known"],
        "它不面向任何已知设备（共知 {known} 台）",
        "it is for none of the devices that are known here ({known})");
    /// Devices that would not, and the reason.
    FORECAST_STAYS = why("forecast.stays", &["devices", "runs", "why", "id"],
        "{devices} 台（现为 {runs}）不会得到它；{why}（{id}）",
        "{devices} (now on {runs}) would not get it; {why} ({id})");
    /// A device would.
    FORECAST_GETS = why("forecast.gets", &[],
        "下次签到（设备重启）时会得到它", "it is offered at the next check-in, which is at the next boot");
    /// Files of another model are looked for.
    FORECAST_OTHER = why("forecast.other-model", &["model", "looks"],
        "它属于型号 {model}，而该设备得到的是型号 {looks} 的文件",
        "it is for the model {model}, and this device gets files of {looks}");
    /// A higher file goes out instead.
    FORECAST_HIGHER = why("forecast.higher", &["other"],
        "会得到版本更高的 {other}", "{other} is offered instead, which is higher");
    /// The model is held at another version.
    FORECAST_PINNED = why("forecast.pinned", &["pin"],
        "gateway.firmware.pin 将该型号固定在 {pin}", "gateway.firmware.pin holds the model at {pin}");
    /// Another build of it runs.
    FORECAST_SAME_VERSION = why("forecast.same-version", &[],
        "运行的就是这个版本", "what runs is of this very version");
    /// A higher version runs.
    FORECAST_LOWER = why("forecast.lower", &[],
        "运行的版本更高", "what runs is a higher version");
    /// A higher file ends it.
    FORECAST_HELD = why("forecast.held", &["other", "why"],
        "不再看比 {other} 更低的文件（{why}）",
        "nothing below {other} is looked at ({why})");
    /// Nothing is said about firmware.
    FORECAST_SILENT = why("forecast.silent", &[],
        "设备自己的版本号会使它在收到固件信息时重启，因此不向它提及固件",
        "the version that runs makes a device restart at every check that mentions firmware, so that nothing is said of it");
    /// Further reasons.
    FORECAST_MORE = why("forecast.more", &[],
        "其他原因", "other reasons");
    /// What is known of devices cannot be read.
    FORECAST_UNKNOWN = why("forecast.unknown", &["dir", "error"],
        "无法读取 {dir} 中已知设备的记录（{error}），因此不知道它们运行什么、会得到什么",
        "what is known of devices cannot be read in {dir} ({error}): what they run, or would get, is not known");
}
