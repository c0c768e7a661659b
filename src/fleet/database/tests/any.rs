//! Records of any content.

use super::*;
use crate::fleet::record::Names;
use proptest::option;

fn text() -> impl Strategy<Value = Box<str>> {
    prop_oneof![
        "[a-z0-9._-]{0,20}".prop_map(Into::into),
        "\\PC{0,40}".prop_map(Into::into),
        Just("x".repeat(128).into()),
        Just("a\0\"\\b\u{7f}".into()),
    ]
}

fn profile() -> impl Strategy<Value = Profile> {
    let number = || option::of(any::<u64>());
    let line = (text(), number(), number(), number()).prop_map(|(label, kind, subtype, size)| {
        KeptPartition {
            label,
            kind,
            subtype,
            size,
        }
    });
    let texts = [(); 5].map(|()| option::of(text()));
    let numbers = [number(), number(), number()];
    (texts, any::<bool>(), numbers, option::of(vec(line, 0..4))).prop_map(
        |(texts, has_board, [chip_model, chip_revision, flash_size], partitions)| {
            let [model_header, board_name, board_type, model, chip_name] = texts;
            Profile {
                model_header,
                board_name,
                board_type,
                model,
                has_board,
                chip_name,
                chip_model,
                chip_revision,
                flash_size,
                partitions: partitions.map(Into::into),
            }
        },
    )
}

fn build() -> impl Strategy<Value = Build> {
    let texts = [(); 5].map(|()| option::of(text()));
    (texts, option::of(any::<[u8; 32]>())).prop_map(|(texts, elf_sha256)| {
        let [version_header, reported, project, idf_version, slot] = texts;
        Build {
            version_header,
            reported,
            project,
            idf_version,
            elf_sha256,
            slot,
        }
    })
}

fn offer() -> impl Strategy<Value = Offer> {
    let image = (
        text(),
        text(),
        option::of(text()),
        option::of(any::<[u8; 32]>()),
        any::<[u8; 16]>(),
    );
    let image = image.prop_map(
        |(file, version, inside, elf_sha256, content)| OfferedImage {
            file,
            version,
            inside,
            elf_sha256,
            content: Content(content),
        },
    );
    let end = proptest::sample::select(OfferEnd::ALL.to_vec());
    let numbers = (any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>());
    (image, build(), end, numbers, any::<u64>(), any::<u64>()).prop_map(
        |(image, before, end, (number, attempt, forced, forced_at), at, since)| Offer {
            number,
            end,
            attempt,
            forced,
            forced_at,
            image: image.into(),
            before: before.into(),
            at,
            since,
        },
    )
}

fn history() -> impl Strategy<Value = Option<Box<History>>> {
    let failure = (any::<[u8; 16]>(), any::<u32>(), any::<u64>());
    let failure = failure.prop_map(|(content, times, at)| Failure {
        content: Content(content),
        times,
        at,
    });
    (vec(offer(), 0..=OFFERS), vec(failure, 0..=FAILED)).prop_map(|(offers, failed)| {
        let history = History { offers, failed };
        (!history.is_empty()).then(|| Box::new(history))
    })
}

fn client() -> impl Strategy<Value = ClientId> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(ClientId::Uuid),
        text().prop_map(ClientId::Text),
    ]
}

pub(super) fn record() -> impl Strategy<Value = Record> {
    let own = || {
        let model = (text(), text()).prop_map(|(named, files)| OwnModel { named, files });
        option::of(model.prop_map(Arc::new))
    };
    let why = option::of(proptest::sample::select(kinds::all().collect::<Vec<_>>()));
    let address = prop_oneof![
        Just(Ipv6Addr::UNSPECIFIED),
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).to_ipv6_mapped()),
        any::<Ipv6Addr>(),
    ];
    let flags = any::<[bool; 3]>();
    let what = (client(), profile(), build(), any::<u32>(), flags, address);
    let more = (why, own(), option::of(text()), own(), history());
    (what, more, any::<u64>(), NOW - 1000..u64::MAX).prop_map(
        |((client, profile, build, boots, flags, address), more, first_seen, last_seen)| {
            let (why, own, at_first, former, history) = more;
            let [is_secure, is_settled, has_lost_own] = flags;
            Record {
                first_seen,
                last_seen,
                address,
                boots,
                is_secure,
                is_settled,
                has_lost_own,
                why,
                own,
                names: Names::of(at_first, former),
                history,
                ..Record::new(client, profile.into(), build.into(), 0)
            }
        },
    )
}

pub(super) fn any_id() -> impl Strategy<Value = DeviceId> {
    prop_oneof![
        any::<u64>().prop_filter_map("no MAC address", |bits| {
            Mac::from_bits(bits >> 16).map(DeviceId::Mac)
        }),
        text().prop_map(|text| DeviceId::new(&text)),
    ]
}
