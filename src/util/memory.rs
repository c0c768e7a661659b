//! Memory that there is for this process: the machine's, or what a control group of it
//! leaves, whichever is least.

use super::host;
use crate::event::text::Text;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Memory of this machine, and of the control groups around this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Number of bytes that the machine has.
    pub machine: Option<u64>,
    /// Number of bytes of the least limit of a control group.
    pub group: Option<u64>,
}

impl Memory {
    /// Looks at the memory of this machine.
    pub(crate) fn look() -> Self {
        let found = Self::below(Path::new("/"));
        Self {
            // `/proc/meminfo` first: in some containers it has what the call does not know of.
            machine: found.machine.or_else(host::memory),
            ..found
        }
    }

    /// Returns the number of bytes that there are at most.
    pub(crate) fn least(self) -> Option<u64> {
        self.machine.into_iter().chain(self.group).min()
    }

    /// Tells whether it is a control group that bounds it.
    fn is_of_group(self) -> bool {
        self.group.is_some() && self.group == self.least() && self.group != self.machine
    }

    /// Returns how much there is at most, for a message.
    pub(crate) fn shown(self) -> Option<String> {
        let bytes = self.least()?;
        Some(format!("{} MiB", bytes >> 20))
    }

    /// Returns whose memory that is, for a message.
    pub(crate) fn source(self) -> Text {
        if self.is_of_group() {
            Text::new(
                "控制组（容器或 systemd 单元）的内存上限",
                "the memory limit of a control group (of a container, or a unit of systemd)",
            )
        } else if self.machine.is_some() {
            Text::new("本机内存", "the memory of this machine")
        } else {
            Text::new("内存大小未知", "nothing says how much memory there is")
        }
    }

    /// Looks below `root`. What cannot be read bounds nothing.
    fn below(root: &Path) -> Self {
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
        let groups = read("proc/self/cgroup");
        let mounts = read("proc/self/mountinfo");
        let limits = mounts
            .lines()
            .filter_map(Mount::parse)
            .filter_map(|mount| mount.least(root, &groups));
        Self {
            machine: total(&read("proc/meminfo")),
            group: limits.min(),
        }
    }
}

/// Reads `MemTotal` of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let mut lines = meminfo.lines();
    let line = lines.find_map(|line| line.strip_prefix("MemTotal:"))?;
    let (number, unit) = line.trim().split_once(' ')?;
    let number: u64 = number.parse().ok().filter(|_| unit.trim() == "kB")?;
    number.checked_mul(1024).filter(|bytes| *bytes > 0)
}

/// Mount of a hierarchy of control groups that bounds memory (proc(5), mountinfo).
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Group that is mounted, as the hierarchy names it.
    group: PathBuf,
    at: PathBuf,
    is_v2: bool,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (front, behind) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(3);
        let (group, at) = (front.next()?, front.next()?);
        let mut behind = behind.split(' ');
        let is_v2 = match behind.next()? {
            "cgroup2" => true,
            "cgroup" => false,
            _ => return None,
        };
        let mut options = behind.nth(1).unwrap_or_default().split(',');
        (is_v2 || options.any(|option| option == "memory")).then(|| Self {
            group: unescaped(group).into(),
            at: unescaped(at).into(),
            is_v2,
        })
    }

    /// Returns the least limit of the group of this process and of those around it, as
    /// far as they can be seen from here.
    fn least(&self, root: &Path, groups: &str) -> Option<u64> {
        let own = groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, group) = rest.split_once(':')?;
            let fits = if self.is_v2 {
                controllers.is_empty()
            } else {
                controllers.split(',').any(|name| name == "memory")
            };
            fits.then_some(group)
        })?;
        // In a container the path may be one of the host's, of which a part is mounted.
        let own = Path::new(own);
        let below = own.strip_prefix(&self.group).unwrap_or(Path::new(""));
        let is_plain = |part| matches!(part, Component::Normal(_));
        let below = if below.components().all(is_plain) {
            below
        } else {
            Path::new("")
        };
        let at = root.join(self.at.strip_prefix("/").unwrap_or(&self.at));
        let file = if self.is_v2 {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        let folders = below.ancestors().map(|folder| at.join(folder));
        let limits = folders.filter_map(|folder| limit(&folder.join(file)));
        limits.min()
    }
}

/// Reads a limit; `max` is none, and so is a number that no machine reaches.
fn limit(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let bytes = text.trim().parse().ok()?;
    (1..1 << 60).contains(&bytes).then_some(bytes)
}

/// Returns a field of mountinfo as it was before blanks and the like were escaped.
fn unescaped(field: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(field.to_owned(), |field, (code, sign)| {
        field.replace(code, sign)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V2: &str =
        "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
    const MEMINFO: &str = "MemFree: 1 kB\nMemTotal:       24683656 kB\n";
    const MIB: u64 = 1 << 20;

    fn machine(files: &[(&str, &str)]) -> Memory {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = dir.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Memory::below(dir.path())
    }

    #[test]
    fn the_machine_has_what_meminfo_says() {
        let memory = machine(&[("proc/meminfo", MEMINFO)]);
        assert_eq!(memory.machine, Some(24_683_656 * 1024));
        assert_eq!((memory.group, memory.is_of_group()), (None, false));
        for odd in [
            "",
            "MemTotal: lots kB",
            "MemTotal: 5",
            "MemTotal: 0 kB",
            "MemTotal: 99999999999999999999 kB",
        ] {
            assert_eq!(
                machine(&[("proc/meminfo", odd)]),
                Memory::default(),
                "{odd}"
            );
        }
        assert_eq!(machine(&[]).least(), None);
    }

    #[test]
    fn the_least_limit_around_counts() {
        let files = |own: &'static str, parent: &'static str| {
            machine(&[
                ("proc/meminfo", MEMINFO),
                ("proc/self/cgroup", "0::/a/b\n"),
                ("proc/self/mountinfo", V2),
                ("sys/fs/cgroup/a/b/memory.max", own),
                ("sys/fs/cgroup/a/memory.max", parent),
            ])
        };
        assert_eq!(files("max\n", "max\n").group, None);
        assert_eq!(files("max\n", "134217728\n").group, Some(128 * MIB));
        assert_eq!(files("67108864\n", "134217728\n").group, Some(64 * MIB));
        assert_eq!(files("-1", "9223372036854771712").group, None);
        assert!(files("max\n", "134217728\n").is_of_group());
        // More than the machine has bounds nothing.
        let most = files("1099511627776\n", "max\n");
        assert_eq!((most.least(), most.is_of_group()), (most.machine, false));
    }

    #[test]
    fn version_1_has_a_file_of_another_name() {
        let memory = machine(&[
            ("proc/self/cgroup", "5:cpu,memory:/x\n4:cpu:/y\n0::/\n"),
            ("proc/self/mountinfo", V1),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "33554432\n"),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ]);
        assert_eq!(memory.group, Some(32 * MIB));
    }

    #[test]
    fn in_a_container_the_path_may_be_the_hosts() {
        // Docker without a namespace of its own mounts the group as the root.
        let mount = "1 2 0:3 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let at = "sys/fs/cgroup/memory/memory.limit_in_bytes";
        for own in ["/docker/c1", "/elsewhere", "/../../c1", "/docker/c1/../c2"] {
            let memory = machine(&[
                ("proc/self/cgroup", &format!("4:memory:{own}\n")),
                ("proc/self/mountinfo", mount),
                (at, "33554432\n"),
            ]);
            assert_eq!(memory.group, Some(32 * MIB), "{own}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_these_files_hold_panics(
            meminfo in "(MemTotal:)?[ 0-9kB\n]{0,40}",
            groups in "([0-9]:[a-z,]*:[/.a-z]*\n?){0,3}",
            mounts in "([0-9]+ [0-9]+ 0:1 [/a.]* [/a\\\\0-9]* rw - cgroup2? x [a-z,]*\n){0,3}",
            limit in "[0-9a-z-]{0,30}",
        ) {
            let memory = machine(&[
                ("proc/meminfo", &meminfo),
                ("proc/self/cgroup", &groups),
                ("proc/self/mountinfo", &mounts),
                ("a/memory.max", &limit),
            ]);
            prop_assert!(memory.least().is_none_or(|bytes| bytes > 0));
        }
    }
}
