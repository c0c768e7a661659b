//! `xiaozhi-ota probe`, run as an operator runs it.

use super::PATIENCE;
use super::server::BINARY;
use super::wrong::{HOST, Running, Wrong};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// The device that is played where a test says nothing else: 1.6.0 on Wi-Fi.
const DEVICE: [&str; 6] = [
    "--board",
    "esp32s3",
    "--version",
    "1.6.0",
    "--chip",
    "esp32s3",
];

/// Every step, in its order.
pub(crate) const STEPS: [&str; 9] = [
    "address",
    "dns",
    "tcp",
    "tls",
    "check",
    "websocket",
    "download",
    "image",
    "reboot",
];

/// A probe that is to be run.
pub(crate) struct Probe {
    url: String,
    arguments: Vec<String>,
    little_memory: bool,
    /// Whether it sees another hosts file than the machine has.
    own_hosts: bool,
    /// Holds the certificate of `--ca`, and such a hosts file.
    dir: TempDir,
}

/// What it said.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A probe that runs.
pub(crate) struct Probing {
    child: Child,
    _dir: TempDir,
}

impl Probe {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            arguments: Vec::new(),
            little_memory: false,
            own_hosts: false,
            dir: TempDir::new().unwrap(),
        }
    }

    /// Of a server that is wrong on purpose, its root trusted.
    pub(crate) fn of(server: &Running) -> Self {
        Self::distrusting(server).trusting(&server.root)
    }

    /// The same, with nothing but public roots.
    pub(crate) fn distrusting(server: &Running) -> Self {
        let url = format!("{}://{HOST}/xiaozhi/ota/", server.scheme);
        Self::new(&url)
            .at(80, server.port_80.port())
            .at(443, server.port_443.port())
    }

    /// The port `public` of [`HOST`] is `port` here.
    pub(crate) fn at(self, public: u16, port: u16) -> Self {
        self.placed(&format!("{HOST}:{public}"), port)
    }

    /// A host, or one port of it, is `port` here.
    pub(crate) fn placed(self, host: &str, port: u16) -> Self {
        self.with(&["--resolve", &format!("{host}=127.0.0.1:{port}")])
    }

    pub(crate) fn trusting(self, pem: &str) -> Self {
        let file = self.dir.path().join("root.pem");
        fs::write(&file, pem).unwrap();
        let file = file.display().to_string();
        self.with(&["--ca", &file])
    }

    /// With another hosts file than the machine's own: in a mount namespace, so that the
    /// machine's stays as it is.
    pub(crate) fn with_hosts(self, text: &str) -> Self {
        fs::write(self.dir.path().join("hosts"), text).unwrap();
        Self {
            own_hosts: true,
            ..self
        }
    }

    pub(crate) fn url(self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self
        }
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Begins it with exactly these arguments.
    pub(crate) fn begin(self) -> Probing {
        let mut command = if self.little_memory {
            // In KiB of address space, of which the allocator's arenas take much.
            let mut command = Command::new("sh");
            command.args(["-c", "ulimit -v 600000 && exec \"$@\"", "sh", BINARY]);
            command
        } else if self.own_hosts {
            let script = "mount --bind hosts /etc/hosts && exec \"$@\"";
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--mount", "sh", "-c", script]);
            command.args(["sh", BINARY]);
            command
        } else {
            Command::new(BINARY)
        };
        command.args(["probe", &self.url]);
        for pair in DEVICE.chunks(2) {
            if !self.arguments.iter().any(|a| a == pair[0]) {
                command.args(pair);
            }
        }
        let child = command
            .args(&self.arguments)
            .current_dir(self.dir.path())
            .env_remove("LANG")
            .env_remove("LC_ALL")
            // A name server that is slow is none of what is tried here.
            .env("RES_OPTIONS", "attempts:1 timeout:2")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Probing {
            child,
            _dir: self.dir,
        }
    }

    /// For programs.
    pub(crate) fn run(self) -> Probed {
        self.with(&["--json"]).begin().end()
    }

    /// For people, in a language.
    pub(crate) fn told(self, lang: &str) -> Probed {
        self.with(&["--lang", lang]).begin().end()
    }
}

impl Probing {
    /// Waits for its end, which must come: a device's patience twice, and some.
    pub(crate) fn end(mut self) -> Probed {
        let (mut out, mut err) = (
            self.child.stdout.take().unwrap(),
            self.child.stderr.take().unwrap(),
        );
        let reading = std::thread::spawn(move || {
            let mut text = Vec::new();
            out.read_to_end(&mut text).map(|_| text)
        });
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE * 4 {
                let _ = self.child.kill();
                panic!("the probe has no end");
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let stdout = String::from_utf8(reading.join().unwrap().unwrap()).unwrap();
        let mut stderr = String::new();
        err.read_to_string(&mut stderr).unwrap();
        Probed {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

impl Probed {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}{}", self.stdout, self.stderr))
    }

    /// Everything that it found, each as `step verdict rule`.
    pub(crate) fn findings(&self) -> Vec<String> {
        let mut all = Vec::new();
        for step in self.json()["steps"].as_array().unwrap() {
            let name = step["step"].as_str().unwrap();
            for finding in step["findings"].as_array().unwrap() {
                let (verdict, rule) = (&finding["verdict"], &finding["rule"]);
                let text = |v: &Value| v.as_str().unwrap().to_owned();
                all.push(format!("{name} {} {}", text(verdict), text(rule)));
            }
        }
        all
    }

    /// How a step ended.
    pub(crate) fn verdict(&self, step: &str) -> String {
        let json = self.json();
        let steps = json["steps"].as_array().unwrap();
        let found = steps.iter().find(|s| s["step"] == step);
        found.unwrap()["verdict"].as_str().unwrap().to_owned()
    }

    /// What keeps this from being exactly these findings and nothing else, with
    /// all that goes with them.
    pub(crate) fn differs_from(&self, expected: &[&str]) -> Option<String> {
        let rank = expected.iter().map(|f| f.split(' ').nth(1).unwrap());
        let worst = rank
            .map(|v| if v == "fail" { 2 } else { 1 })
            .max()
            .unwrap_or(0);
        let json = self.json();
        let mut faults = Vec::new();
        if self.code != Some(worst) {
            faults.push(format!("exit code {:?} in place of {worst}", self.code));
        }
        let verdict = ["ok", "warn", "fail"][usize::try_from(worst).unwrap()];
        if json["verdict"] != verdict {
            faults.push(format!("verdict {} in place of {verdict}", json["verdict"]));
        }
        let (mut found, mut wanted) = (self.findings(), expected.to_vec());
        found.sort();
        wanted.sort_unstable();
        if found != wanted {
            faults.push(format!("found {found:?} in place of {wanted:?}"));
        }
        let steps = json["steps"].as_array().unwrap();
        let names: Vec<_> = steps.iter().map(|s| s["step"].as_str().unwrap()).collect();
        if names != STEPS {
            faults.push(format!("steps {names:?}"));
        }
        for step in steps {
            let is_found = !step["findings"].as_array().unwrap().is_empty();
            for key in ["rule", "consequence", "remedy"] {
                if step[key].is_string() != is_found {
                    faults.push(format!("{key} of {step}"));
                }
            }
            let evidence = step["evidence"].as_str().unwrap();
            if is_found && evidence.is_empty() {
                faults.push(format!("no evidence in {step}"));
            }
        }
        let told = |step: &Value| {
            format!(
                "  {} {}: {}",
                step["step"], step["verdict"], step["evidence"]
            )
        };
        let told: Vec<String> = steps.iter().map(told).collect();
        (!faults.is_empty()).then(|| {
            format!(
                "{}\n{}\n{}",
                faults.join("\n"),
                told.join("\n"),
                self.stderr
            )
        })
    }

    #[track_caller]
    pub(crate) fn finds(&self, expected: &[&str]) {
        if let Some(why) = self.differs_from(expected) {
            panic!("{why}");
        }
    }
}

/// A row of a table: what is wrong, who asks, and all that is to be found.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) probe: Probe,
    pub(crate) finds: Vec<&'static str>,
    /// Lives as long as the probe needs it.
    pub(crate) server: Option<Running>,
}

impl Case {
    pub(crate) fn new(
        name: &'static str,
        server: Wrong,
        with: &[&str],
        finds: &[&'static str],
    ) -> Self {
        let server = server.start();
        Self {
            name,
            probe: Probe::of(&server).with(with),
            finds: finds.to_vec(),
            server: Some(server),
        }
    }

    /// Of no server, or of one that is not ours.
    pub(crate) fn at(name: &'static str, probe: Probe, finds: &[&'static str]) -> Self {
        Self {
            name,
            probe,
            finds: finds.to_vec(),
            server: None,
        }
    }

    /// Where an allocation without bound would end it.
    pub(crate) fn in_little_memory(self) -> Self {
        let probe = Probe {
            little_memory: true,
            ..self.probe
        };
        Self { probe, ..self }
    }

    /// With another probe than the usual one of its server.
    pub(crate) fn probed(self, probe: impl FnOnce(&Running) -> Probe) -> Self {
        let probe = probe(self.server.as_ref().unwrap());
        Self { probe, ..self }
    }
}

/// Runs all of them at once, for each waits for something that does not come.
#[track_caller]
pub(crate) fn hold_together(cases: Vec<Case>) {
    let begun: Vec<_> = cases
        .into_iter()
        .map(|case| (case.name, case.probe.with(&["--json"]).begin(), case.finds))
        .collect();
    let mut wrong = Vec::new();
    for (name, probing, finds) in begun {
        if let Some(why) = probing.end().differs_from(&finds) {
            wrong.push(format!("{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Runs all of them, each by itself, and says everything that went otherwise.
#[track_caller]
pub(crate) fn hold(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for case in cases {
        let probed = case.probe.run();
        if let Some(why) = probed.differs_from(&case.finds) {
            wrong.push(format!("{}: {why}", case.name));
        }
        drop(case.server);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
