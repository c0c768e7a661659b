//! Images that carry another home: the address of another server is compiled in, and ours is
//! not. A device that takes such an update may ask that one from then on, and nothing that is
//! said here reaches it any more.
//!
//! Compared is what [`AppImage::homes`] has with the public address, where one is configured.
//! An image in which ours stands, too, lets its devices choose, and is not spoken of; nor is
//! one of another project, whose rules are not known here.

use super::FolderSettings;
use crate::event::text::Text;
use crate::event::{Event, event};
use xiaozhi_device::image::AppImage;
use xiaozhi_device::version::Version;

/// Treatment of images that carry another home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForeignHome {
    /// They are offered, with a warning: devices with an address of their own stay.
    #[default]
    Warn,
    /// They are refused.
    Refuse,
}

/// The first version that asks the address which was typed in, and the one of the build only
/// where there is none (`Ota::GetCheckVersionUrl` in the firmware's `main/ota.cc`). Earlier
/// ones know the build's alone.
const READS_TYPED_IN: &str = "1.6.2";

/// Fate of devices whose firmware reads an address that was typed in.
const COMPILED_IN_GO: Text = Text::new(
    "地址是编译在固件里、而不是由用户填写的设备，升级后只会向那个地址检查，从此不再回到本服务器；用户填写过地址（NVS 的 ota_url）的设备不受影响，在升级前填写也来得及",
    "a device whose own address was compiled in, and not typed in by its user, asks there after this update, and has left this \
     server for good; one into which an address was typed (ota_url in its NVS) stays, and so does one \
     into which it is typed before",
);
/// Fate of devices whose firmware reads none.
const ALL_GO: Text = Text::new(
    "1.6.2 之前的固件不读取用户填写的地址，因此每台设备升级后都只会向那个地址检查，从此不再回到本服务器",
    "firmware before 1.6.2 reads no address that was typed in, so that every device asks there after this update, and has left \
     this server for good",
);

/// Home that an image carries in place of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherHome {
    /// The addresses in the image.
    homes: String,
    /// The public address.
    ours: String,
    /// The devices that go, and those that stay.
    whom: Text,
}

impl OtherHome {
    /// Compares the addresses in an image with ours.
    fn of(app: &AppImage, settings: &FolderSettings) -> Option<Self> {
        let ours = settings.home.as_ref()?;
        if !settings.projects.is_xiaozhi(&app.project)
            || app.homes.iter().any(|home| home.is_one_with(ours))
        {
            return None;
        }
        let reads_typed_in = Version::new(&app.version) >= Version::new(READS_TYPED_IN);
        Some(Self {
            homes: named(app)?,
            ours: ours.to_string(),
            whom: if reads_typed_in {
                COMPILED_IN_GO
            } else {
                ALL_GO
            },
        })
    }

    /// Returns the reason why the image is refused.
    pub(crate) fn refusal(&self) -> Event {
        let Self { homes, ours, whom } = self;
        event!(IMAGE_HOME_REFUSED, homes = homes, ours = ours, whom = *whom)
    }
}

/// Names the OTA addresses in an image, if it has any.
pub(crate) fn named(app: &AppImage) -> Option<String> {
    let homes: Vec<_> = app.homes.iter().map(ToString::to_string).collect();
    (!homes.is_empty()).then(|| homes.join(", "))
}

/// Returns what an operator should know of an image that is offered though it carries another
/// home.
pub(crate) fn remark(app: &AppImage, settings: &FolderSettings) -> Option<Event> {
    if settings.foreign_home == ForeignHome::Refuse {
        return None; // It is not offered.
    }
    let OtherHome { homes, ours, whom } = OtherHome::of(app, settings)?;
    Some(event!(REMARK_HOME, homes = homes, ours = ours, whom = whom))
}

/// Returns the other home that an image carries, where such images are refused.
pub(super) fn refused(app: &AppImage, settings: &FolderSettings) -> Option<OtherHome> {
    let is_wanted = settings.foreign_home == ForeignHome::Refuse;
    OtherHome::of(app, settings).filter(|_| is_wanted)
}

#[cfg(test)]
mod tests {
    use super::super::Verify;
    use super::*;
    use std::time::Duration;
    use xiaozhi_device::image::{Home, Verdict, inspect};
    use xiaozhi_device::project::Projects;
    use xiaozhi_image_builder::{Image, texts};

    const OURS: &str = "https://ota.example.com/xiaozhi/ota/";
    const THEIRS: &str = "https://api.vendor.example/xiaozhi/ota/";

    fn app(project: &'static str, version: &str, homes: &[&str]) -> AppImage {
        let image = Image {
            project,
            rodata: texts(homes),
            ..Image::new(version)
        };
        match inspect(&image.build()).verdict {
            Verdict::App(app) => *app,
            other => panic!("{other:?}"),
        }
    }

    fn settings(ours: Option<&str>, foreign_home: ForeignHome) -> FolderSettings {
        FolderSettings {
            dir: "data/bin".into(),
            ttl: Duration::from_secs(30),
            verify: Verify::Warn,
            projects: Projects::default(),
            config: None,
            home: ours.map(|ours| Home::parse(ours).unwrap()),
            foreign_home,
        }
    }

    #[test]
    fn an_image_is_spoken_of_or_refused_where_another_home_stands_in_it_alone() {
        let (warn, refuse) = (ForeignHome::Warn, ForeignHome::Refuse);
        for (project, homes, ours, is_other) in [
            ("xiaozhi", &[THEIRS][..], Some(OURS), true),
            ("xiaozhi", &[OURS], Some(OURS), false),
            ("xiaozhi", &[THEIRS, OURS], Some(OURS), false),
            ("xiaozhi", &[], Some(OURS), false),
            ("xiaozhi", &[THEIRS], None, false),
            ("blink", &[THEIRS], Some(OURS), false),
            (
                "xiaozhi",
                &["http://ota.example.com/xiaozhi/ota/"],
                Some(OURS),
                true,
            ),
            (
                "xiaozhi",
                &["https://ota.example.com:8443/xiaozhi/ota/"],
                Some(OURS),
                true,
            ),
            (
                "xiaozhi",
                &["https://OTA.example.com:443/xiaozhi/ota"],
                Some(OURS),
                false,
            ),
        ] {
            let app = app(project, "2.0.0", homes);
            assert_eq!(
                remark(&app, &settings(ours, warn)).is_some(),
                is_other,
                "{homes:?}"
            );
            assert_eq!(refused(&app, &settings(ours, warn)), None);
            assert_eq!(remark(&app, &settings(ours, refuse)), None);
            assert_eq!(
                refused(&app, &settings(ours, refuse)).is_some(),
                is_other,
                "{homes:?}"
            );
        }
    }

    #[test]
    fn both_addresses_and_the_devices_that_go_are_named() {
        let said = |version| {
            let app = app("xiaozhi", version, &[THEIRS, "http://h/ota"]);
            let refused = refused(&app, &settings(Some(OURS), ForeignHome::Refuse));
            let remark = remark(&app, &settings(Some(OURS), ForeignHome::Warn));
            [
                remark.unwrap().to_string(),
                refused.unwrap().refusal().to_string(),
            ]
        };
        for text in said("1.6.2").into_iter().chain(said("2.0.0")) {
            for words in [
                THEIRS,
                "http://h/ota",
                OURS,
                "compiled in",
                "gateway.firmware.foreign_home",
            ] {
                assert!(text.contains(words), "{words}: {text}");
            }
        }
        for text in said("1.6.1").into_iter().chain(said("1.5.9")) {
            assert!(text.contains("every device"), "{text}");
        }
    }
}
