//! `/metrics`: what is counted, and what there is at this moment, as Prometheus reads it.
//!
//! The text is Prometheus' own format, version 0.0.4, which every version of it takes.
//! Names and units follow its conventions
//! (<https://prometheus.io/docs/practices/naming/>). No label names a device, an image, a
//! model or a client: what grows with the fleet would cost the one who keeps it more than
//! the fleet itself. Certificates are named, [`CERTIFICATES`] of them at most.

use crate::firmware::snapshot::Verdicts;
use crate::util::counts::{
    COUNTS, CheckIn, Counts, Download, ENDS, LeftOut, Transport, TurnedAway,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, encode};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Value of `Content-Type` of the text.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;
/// Number of certificates that are shown, those that end first.
pub const CERTIFICATES: usize = 16;

/// Source of what is not counted, but there at this moment.
pub trait MetricsSource {
    /// Reads all of it. It must not wait for a disk, nor for another server.
    fn readings(&self) -> Readings;
}

/// Things that are there at one moment.
#[derive(Debug, Clone)]
pub struct Readings {
    /// Time at which this process began.
    pub started: SystemTime,
    /// Number of devices that are remembered.
    pub devices: u64,
    /// Number of orders of people that no device has followed yet.
    pub open_orders: u64,
    /// Names of the ends of an offer, in the order of the numbers that
    /// [`Counts::offer_ended`] is given. Those beyond [`ENDS`] are not shown.
    pub ends: &'static [&'static str],
    /// Files of the firmware folder, by what is made of each.
    pub files: Verdicts,
    /// Bytes of images in memory.
    pub image_bytes: u64,
    /// Bytes of images that there may be in memory: `gateway.firmware.memory`.
    pub image_bytes_limit: u64,
    /// Certificates that answer.
    pub certificates: Vec<Validity>,
    /// The server that answers all but firmware, in upstream mode.
    pub upstream: Option<UpstreamReading>,
}

/// State of the server that answers all but firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamReading {
    /// False where it did not answer when it was asked last.
    pub is_up: bool,
    /// Number of devices that are offered nothing for its answer: they are not activated, or
    /// automatic updates are off for them.
    pub held: [u64; 2],
}

/// Time in which a certificate is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Path of its file.
    pub file: String,
    /// Begin, in seconds since 1970.
    pub not_before: i64,
    /// End, in seconds since 1970.
    pub not_after: i64,
}

/// Writes the counts of this process and what `source` reads.
pub fn render(source: &dyn MetricsSource) -> String {
    text_of(&COUNTS, source.readings())
}

/// Writes counts and readings.
fn text_of(counts: &'static Counts, mut readings: Readings) -> String {
    let certificates = &mut readings.certificates;
    certificates.sort_by(|a, b| (a.not_after, &a.file).cmp(&(b.not_after, &b.file)));
    // A name that came twice would make the whole text unreadable.
    let mut seen = HashSet::new();
    certificates.retain(|certificate| seen.insert(certificate.file.clone()));
    certificates.truncate(CERTIFICATES);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Shown { counts, readings }));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

/// Everything that is shown.
#[derive(Debug)]
struct Shown {
    counts: &'static Counts,
    readings: Readings,
}

impl Collector for Shown {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        self.process(&mut families)?;
        self.check_ins(&mut families)?;
        self.downloads(&mut families)?;
        self.fleet(&mut families)?;
        self.connections(&mut families)?;
        self.log_and_store(&mut families)?;
        self.certificates(&mut families)?;
        self.upstream(&mut families)
    }
}

impl Shown {
    fn process(&self, families: &mut Families<'_>) -> fmt::Result {
        families.gauges(
            "xiaozhi_ota_build_info",
            "Version of the server that runs",
            [([("version", env!("CARGO_PKG_VERSION"))], 1u64)],
        )?;
        let started = self.readings.started.duration_since(UNIX_EPOCH);
        families.gauge(
            "process_start_time_seconds",
            "Time at which this process began, in seconds since 1970",
            started.unwrap_or_default().as_secs_f64(),
        )
    }

    fn check_ins(&self, families: &mut Families<'_>) -> fmt::Result {
        let outcomes = CheckIn::ALL.iter().flat_map(|outcome| {
            Transport::ALL.iter().map(|transport| {
                let labels = [
                    ("outcome", outcome.label()),
                    ("transport", transport.label()),
                ];
                (labels, self.counts.check_ins(*outcome, *transport))
            })
        });
        families.counters(
            "xiaozhi_ota_check_ins",
            "Check-ins of devices, by what they came to, and by the way in which they came",
            outcomes,
        )?;
        families.counter(
            "xiaozhi_ota_tls_handshakes",
            "TLS handshakes that succeeded",
            self.counts.handshakes(),
        )?;
        let failed = self.counts.failed_handshakes();
        families.counters(
            "xiaozhi_ota_tls_handshake_failures",
            "TLS handshakes that failed, by the id of the log's event",
            failed.map(|(kind, number)| ([("event", kind)], number)),
        )
    }

    fn downloads(&self, families: &mut Families<'_>) -> fmt::Result {
        families.counter(
            "xiaozhi_ota_downloads_begun",
            "Downloads of images that began; each range of one counts",
            self.counts.downloads_begun(),
        )?;
        let ends = Download::ALL.iter();
        families.counters(
            "xiaozhi_ota_downloads_ended",
            "Downloads of images that ended: whole, or cut before that",
            ends.map(|end| ([("result", end.label())], self.counts.downloads(*end))),
        )?;
        families.counter(
            "xiaozhi_ota_download_bytes",
            "Bytes of images that were handed to connections",
            self.counts.download_bytes(),
        )?;
        families.gauge(
            "xiaozhi_ota_image_memory_bytes",
            "Bytes of images that are kept in memory",
            self.readings.image_bytes,
        )?;
        families.gauge(
            "xiaozhi_ota_image_memory_limit_bytes",
            "Bytes of images that may be kept in memory (gateway.firmware.memory)",
            self.readings.image_bytes_limit,
        )?;
        let files = &self.readings.files;
        let verdicts = [
            ("ready", files.ready),
            ("served", files.served),
            ("refused", files.refused),
            ("waiting", files.waiting),
            ("unread", files.unread),
        ];
        families.gauges(
            "xiaozhi_ota_firmware_files",
            "Files in the firmware folder: offered, served without being offered, refused, \
             being written, not read yet",
            verdicts.map(|(verdict, number)| ([("verdict", verdict)], number as u64)),
        )
    }

    fn fleet(&self, families: &mut Families<'_>) -> fmt::Result {
        families.gauge(
            "xiaozhi_ota_devices",
            "Devices that are remembered",
            self.readings.devices,
        )?;
        let ends = self.readings.ends.iter().take(ENDS).enumerate();
        families.counters(
            "xiaozhi_ota_offers",
            "Offers, by each end that they came to",
            ends.map(|(number, end)| ([("end", *end)], self.counts.offers(number))),
        )?;
        families.gauge(
            "xiaozhi_ota_orders_open",
            "Orders to try again that no device has followed yet",
            self.readings.open_orders,
        )
    }

    fn connections(&self, families: &mut Families<'_>) -> fmt::Result {
        families.counter(
            "xiaozhi_ota_connections_accepted",
            "Connections that were let in",
            self.counts.connections_accepted(),
        )?;
        families.gauge(
            "xiaozhi_ota_connections",
            "Connections that are open; each has a permit",
            self.counts.connections_open(),
        )?;
        families.gauge(
            "xiaozhi_ota_connection_permits",
            "Connections that may be open at once (gateway.limits.connections)",
            self.counts.permits(),
        )?;
        let reasons = TurnedAway::ALL.iter();
        families.counters(
            "xiaozhi_ota_connections_turned_away",
            "Connections that were turned away: their network had its share, or they had not \
             asked and made room for others",
            reasons.map(|reason| {
                let number = self.counts.connections_turned_away(*reason);
                ([("reason", reason.label())], number)
            }),
        )?;
        families.counter(
            "xiaozhi_ota_accept_failures",
            "Connections that could not be taken for want of files or memory",
            self.counts.failed_accepts(),
        )
    }

    fn log_and_store(&self, families: &mut Families<'_>) -> fmt::Result {
        let reasons = LeftOut::ALL.iter();
        families.counters(
            "xiaozhi_ota_log_lines_left_out",
            "Lines that are not in the log: above its rate, or its output took none",
            reasons.map(|reason| {
                let number = self.counts.lines_left_out(*reason);
                ([("reason", reason.label())], number)
            }),
        )?;
        families.gauge(
            "xiaozhi_ota_store_lag_seconds",
            "Time for which the oldest news of a device has waited to be written to the store",
            self.counts.store_lag().as_secs_f64(),
        )?;
        families.counter(
            "xiaozhi_ota_store_rows_written",
            "Rows that were written to the store",
            self.counts.store_rows(),
        )?;
        families.counter(
            "xiaozhi_ota_store_errors",
            "Attempts to write to the store, or to read it, that failed",
            self.counts.store_errors(),
        )
    }

    fn upstream(&self, families: &mut Families<'_>) -> fmt::Result {
        let Some(upstream) = &self.readings.upstream else {
            return Ok(());
        };
        families.gauge(
            "xiaozhi_ota_upstream_up",
            "1 unless the upstream gave no answer when it was asked last (gateway.upstream)",
            u64::from(upstream.is_up),
        )?;
        let reasons = ["not_activated", "updates_off"].into_iter();
        families.gauges(
            "xiaozhi_ota_upstream_held_devices",
            "Devices that are offered nothing for what the upstream answered them last",
            reasons
                .zip(upstream.held)
                .map(|(reason, held)| ([("reason", reason)], held)),
        )
    }

    fn certificates(&self, families: &mut Families<'_>) -> fmt::Result {
        let times = |time: fn(&Validity) -> i64| {
            let all = self.readings.certificates.iter();
            all.map(move |of| ([("file", of.file.as_str())], time(of)))
        };
        families.gauges(
            "xiaozhi_ota_certificate_not_before_timestamp_seconds",
            "Time from which a certificate is valid, in seconds since 1970",
            times(|of| of.not_before),
        )?;
        families.gauges(
            "xiaozhi_ota_certificate_not_after_timestamp_seconds",
            "Time at which a certificate ends, in seconds since 1970",
            times(|of| of.not_after),
        )
    }
}

/// Writer of families of metrics.
struct Families<'a>(DescriptorEncoder<'a>);

/// Labels of a metric: their names and values.
type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

impl Families<'_> {
    /// Writes a counter. `_total` is put behind its name.
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.family(
            name,
            help,
            MetricType::Counter,
            [([], ConstCounter::new(value))],
        )
    }

    /// Writes a counter that has labels.
    fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let values = values.into_iter();
        let values = values.map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(name, help, MetricType::Counter, values)
    }

    /// Writes a gauge.
    fn gauge<V>(&mut self, name: &str, help: &str, value: V) -> fmt::Result
    where
        ConstGauge<V>: EncodeMetric,
    {
        self.family(
            name,
            help,
            MetricType::Gauge,
            [([], ConstGauge::new(value))],
        )
    }

    /// Writes a gauge that has labels.
    fn gauges<'l, V, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l, N>, V)>,
    ) -> fmt::Result
    where
        ConstGauge<V>: EncodeMetric,
    {
        let values = values.into_iter();
        let values = values.map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(name, help, MetricType::Gauge, values)
    }

    fn family<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (Labels<'l, N>, impl EncodeMetric)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            value.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
