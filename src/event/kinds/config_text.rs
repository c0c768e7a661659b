//! Faults of the configuration's text: what is no YAML, and what another program made of
//! it.

use super::super::Kind;
use super::super::Severity::Error;
use super::PLACE;

kinds! { CONFIGURATION_TEXT:
    /// The file is no text.
    CONFIG_NOT_UTF8 = of_key!("config.not-utf8", Error, ["byte", "encoding?", "command?"],
        "不是 UTF-8（第 {byte} 字节处）{，看起来是 |encoding|}：请以 UTF-8 保存{，或运行 |command|}",
        "not UTF-8 (at byte {byte}){, but |encoding|, as it seems}: save it as UTF-8{, or run |command|}");
    /// Another tool holds the file shut.
    CONFIG_SHUT = of_key!("config.shut", Error, ["tool", "open"],
        "文件由 {tool} 加密或打包（或未取得其内容），这里读不到任何设置：请先运行 {open}，再把 YAML 放到这里",
        "{tool} holds this file shut, and no setting in it can be read: open it first, and put the YAML here: {open}");
    /// A file of another kind.
    CONFIG_OTHER_FORMAT = of_key!("config.other-format", Error, ["is"],
        "这是{is}，而不是 xiaozhi-server 和本服务器的配置：那是形如 `server:` 的行，其下缩进书写 `键: 值`；请把内容改写成这样，或放回原来的文件",
        "this is {is}, and no configuration of xiaozhi-server and this server, which is lines like `server:` with indented `key: value` lines \
         below: write it so, or put the file back that belongs here");
    /// Marks of a merge.
    CONFIG_MERGE_CONFLICT = of_key!("config.merge-conflict", Error, [],
        "这里是 Git 合并冲突的标记：请保留一方的内容，并删去 <<<<<<<、=======、>>>>>>> 各行",
        "this is the mark of a merge that Git could not do: keep one side, and take the lines with <<<<<<<, ======= and >>>>>>> out");
    /// A sign of another width or kind.
    CONFIG_SIGN = of_key!("config.sign", Error, ["sign", "write"],
        "其中有全角或中文符号 {sign}：请切换到英文输入法，改写为 {write}",
        "it holds {sign}, which YAML takes for a letter: write {write} in its place, as an English keyboard has it");
    /// A sign that nobody sees.
    CONFIG_INVISIBLE = of_key!("config.invisible", Error, ["sign", "name"],
        "其中有{name}（{sign}），YAML 把它当作文字：请删去，缩进和间隔只用普通空格",
        "it holds {name} ({sign}), which YAML takes for a letter: take it out; write plain blanks to indent and to part");
    /// A tab where blanks are wanted.
    CONFIG_TAB = of_key!("config.tab", Error, [],
        "该行用制表符缩进，YAML 只允许空格：请改为空格，每一层两个",
        "this line is indented by a tab, and YAML takes blanks only: write two blanks for each level");
    /// No blank behind a colon.
    CONFIG_NO_BLANK = of_key!("config.no-blank", Error, ["behind", "write"],
        "`{behind}` 后面没有空格，因此不是单独的键或项：请写 `{write}`",
        "no blank stands behind `{behind}`, so that it is no key or item of its own: write `{write}`");
    /// A line that is indented otherwise than its neighbours.
    CONFIG_INDENT = of_key!("config.indent", Error, ["blanks", "wanted"],
        "该行缩进了 {blanks} 个空格，而上面的键缩进 {wanted} 个：同一层的键必须对齐，请写成一样多的空格",
        "blanks in front of this line: {blanks}, and of the key above it: {wanted}; keys of one level stand exactly below each \
         other: write the same number");
    /// A quote that nothing closes.
    CONFIG_OPEN_QUOTE = of_key!("config.open-quote", Error, [],
        "不是 YAML：该行的引号没有闭合，后面的行都成了它的内容：请在该行补上另一个引号，或两个都去掉",
        "not YAML: the quote on this line is not closed there, and swallows the lines behind it: close it on this line, or take it out");
    /// A bracket that nothing closes.
    CONFIG_OPEN_BRACKET = of_key!("config.open-bracket", Error, [],
        "不是 YAML：该行的括号没有闭合，或闭合的不是同一种：请补上右括号，列表的各项用英文逗号分隔",
        "not YAML: the bracket that opens on this line is not closed, or not by its own kind: close it, and part what stands in it by \
         commas");
    /// A value that runs over the end of its line.
    CONFIG_RUNS_ON = of_key!("config.runs-on", Error, ["last~"],
        "值一直延续到第 {last} 行，因此那些行没有被当作键来读取：请检查引号、冒号和缩进",
        "its value runs on to line {last}, so that those lines are not read as keys: look at quotes, colons and indentation");
    /// A comment glued to a value.
    CONFIG_HASH = of_key!("config.hash", Error, [],
        "# 前面没有空格，因此它是值的一部分而不是注释：请在 # 前加一个空格，或给整个值加上引号",
        "no blank stands in front of #, so that it is a part of the value and begins no comment: write a blank in front of it, or \
         put the value in quotes");
    /// A line of something else.
    CONFIG_STRAY = of_key!("config.stray", Error, ["is"],
        "这是{is}，不是配置的内容：请删去", "this is {is}, and no part of the configuration: take it out");
    /// Numbers of lines.
    CONFIG_LINE_NUMBERS = of_key!("config.line-numbers", Error, ["command"],
        "每行前面都有行号（cat -n 或编辑器显示的），它们成了键的一部分：请去掉，例如 {command}",
        "a number stands in front of each line, as cat -n and editors show them, and becomes a part of its key: take them out, as by \
         {command}");
    /// Bytes of zero.
    CONFIG_ZEROS = of_key!("config.zeros", Error, ["zeros"],
        "从这里起有 {zeros} 个零字节，断电或磁盘写满时会留下这样的文件：请从备份恢复；若内容完整，只需删去这些字节",
        "bytes of zero stand from here on, {zeros} in all, as a power cut or a full disk leaves them: restore the file from a copy, or, if all else is \
         there, take these bytes out");
    /// A sign of YAML's own in a value.
    CONFIG_QUOTE = of_key!("config.quote", Error, ["sign", "write"],
        "值中的符号 {sign} 在 YAML 里另有含义：请把整个值放进引号（{write}），或去掉该符号",
        "the sign {sign} means something else to YAML where it stands in this value: put the whole value in quotes, as in {write}, or take the \
         sign out");
    /// An alias of nothing.
    CONFIG_NO_ANCHOR = of_key!("config.no-anchor", Error, [],
        "开头的 * 引用上文以 & 标记的内容，而上文没有这个标记：请把值放进引号（例如 '*.example.com'），或先写 &名称；列表项以 `- ` 开头",
        "`*` in front means what `&name` marks further up, and nothing is marked so: put the value in quotes ('*.example.com'), or write the \
         mark first; an item of a list begins with `- `");
    /// No colon behind a key.
    CONFIG_NO_COLON = of_key!("config.no-colon", Error, ["write"],
        "键后面没有冒号：请写 `{write}`（冒号后空一格）", "no colon stands behind the key: write `{write}`, with a blank behind the colon");
    /// Two keys on one line.
    CONFIG_ONE_LINE = of_key!("config.one-line", Error, ["second"],
        "`{second}` 写在了另一个键的同一行：请另起一行，属于下一层时缩进两个空格",
        "`{second}` stands on the line of another key: begin a new line with it, two blanks further in if it belongs below");
    /// Dashes where keys are wanted.
    CONFIG_DASHES = of_key!("config.dashes", Error, [],
        "键前面的 `-` 使它成了列表，而这里要的是映射：请删去这些 `-`",
        "`-` in front of the keys makes a list of it, and a mapping is wanted: take the dashes out");
    /// A backslash in double quotes.
    CONFIG_BACKSLASH = of_key!("config.backslash", Error, [],
        "双引号中的 \\ 表示转义，而这个转义不存在：请改用单引号，或写成 \\\\",
        "in double quotes \\ begins an escape, and there is none like this: use single quotes, or write \\\\");
    /// What another tool was to fill in.
    CONFIG_LEFT_IN = of_key!("config.left-in", Error, ["is"],
        "这是{is}：请写出值本身，或在启动前让填写它的工具（envsubst、Ansible、Helm 等）处理这个文件",
        "this is {is}: write the value itself, or have the tool that is to fill it in (envsubst, Ansible, Helm or the like) work on the file \
         before the start");
    /// No path of this machine.
    CONFIG_NOT_PATH = of_key!("config.not-path", Error, ["is", "write"],
        "这是{is}：请写本机（容器中则是容器内）的路径，例如 {write}",
        "this is {is}: write a path of this machine, or of the container it runs in, such as {write}");
    /// Several values without brackets.
    CONFIG_BRACKETS = of_key!("config.brackets", Error, ["write"],
        "这样写不是列表：请写 {write}，或每项单独一行并以 `- ` 开头",
        "this is no list as it stands: write {write}, or each item on a line of its own behind `- `");
    /// The file cannot be read.
    CONFIG_UNREADABLE = of_key!("config.unreadable", Error, ["file", "error", "other?"],
        "无法读取：{error}（{file}）{：旁边的 |other| 是否就是它？}", "cannot be read: {error} ({file}){: is it |other| that is meant?}");
    /// The file may not be read.
    CONFIG_DENIED = of_key!("config.denied", Error, ["file", "user", "error"],
        "无法读取：{error}：本服务以用户 {user} 运行：请让该用户可以读取它（chown {user} {'file'}），也可以进入上面的各级目录（namei -l {'file'} 可以查看）",
        "cannot be read: {error}: this server runs as user {user}: let that user read it (chown {user} {'file'}), and enter every folder above \
         it (`namei -l {'file'}` shows them)");
    /// A folder in the file's place.
    CONFIG_FOLDER = of_key!("config.folder", Error, [],
        "无法读取：这里要的是文件，而它是目录。挂载的源文件不存在时，Docker 会创建这样的目录：请停止容器，删去该目录（rmdir），\
         写好文件后重新创建容器（docker compose up -d --force-recreate）",
        "cannot be read: it is a folder, and a file is wanted. Docker makes one where the file that is to be mounted does not exist: \
         stop the container, remove the folder (rmdir), write the file, and make the container anew (docker compose up -d \
         --force-recreate)");
    /// A link that leads to nothing.
    CONFIG_DEAD_LINK = of_key!("config.dead-link", Error, ["link", "target"],
        "无法读取：{link} 是指向 {target} 的链接，而 {target} 不存在；没有配置时任何人都可以接入：请修正链接，或删去它以使用默认设置",
        "cannot be read, for {link} is a link to {target}, which does not exist: without the configuration everybody could come \
         in; mend the link, or take it away to start with every setting at its default");
    /// Too many collections in each other.
    CONFIG_TOO_DEEP = of_key!("config.too-deep", Error, [],
        "列表或映射的嵌套比这里已知的任何设置都深，或未闭合的括号超过 20000 个（文本中的也算），或别名（*）成千次地重复：请删去它们",
        "lists or mappings stand in each other deeper than anything that is known here, or more than 20000 brackets are open, \
         those in texts counted, or aliases (*) repeat others by the thousand: take them out");
    /// A line that is no YAML.
    CONFIG_NOT_YAML = of_key!("config.not-yaml", Error, ["error"],
        "不是 YAML：{error}：请修正该行，缩进用空格", "not YAML: {error}: mend that line, indentation is by spaces");
    /// A file that is no YAML.
    CONFIG_NOT_ONE_DOCUMENT = of_key!("config.not-one-document", Error, [],
        "这里结束了一个 YAML 文档并开始了另一个（--- 或 ...），而一个文件只能有一个：请删去该行，把各部分合成一个",
        "here one YAML document ends and another begins (--- or ...), and the file must be one: take this line out, and make one of the \
         parts");
    /// A file of something else.
    CONFIG_NO_KEYS = of_key!("config.no-keys", Error, [],
        "最外层不是映射：必须是形如 `server:` 的行，其下缩进书写各键",
        "no mapping at the top: it must be lines like `server:` with indented keys below");
}
