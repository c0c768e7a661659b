//! Bad releases, and what else a device meets once in its life.

use super::rate::Rate;
use super::tally::DeviceState;
use crate::event::text::Text;
use std::str::FromStr;

/// Kind of bad release, by its effect on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// The boot loader refuses the image, and the device runs on with the old one:
    /// it asks again at its next boot.
    Verify,
    /// The new image crashes before its first check, and the boot loader goes back
    /// to the old one.
    Crash,
    /// The device never comes again.
    Dead,
}

impl Bad {
    /// Every kind.
    pub(super) const ALL: [Self; 3] = [Self::Verify, Self::Crash, Self::Dead];

    /// Returns its name, on the command line and in JSON.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Crash => "crash",
            Self::Dead => "dead",
        }
    }

    /// Says what it did to its devices.
    pub(super) fn words(self) -> Text {
        match self {
            Self::Verify => Text::new(
                "启动加载程序拒绝新固件，设备继续运行旧版本",
                "refused by the boot loader, run on with the old version",
            ),
            Self::Crash => Text::new(
                "新固件崩溃，已回退到旧版本",
                "crashed at its first boot, rolled back to the old version",
            ),
            Self::Dead => Text::new("再也没有出现", "never came again"),
        }
    }

    /// Returns the state in which a device that met it ends.
    pub(super) fn state(self) -> DeviceState {
        match self {
            Self::Verify => DeviceState::BadVerify,
            Self::Crash => DeviceState::BadCrash,
            Self::Dead => DeviceState::BadDead,
        }
    }
}

/// Share of the devices that each kind of bad release meets, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BadShares([u32; Bad::ALL.len()]);

impl BadShares {
    /// Returns what a device meets that drew this number below a million.
    pub(super) fn draw(&self, number: u64) -> Option<Bad> {
        let mut end = 0;
        Bad::ALL.into_iter().zip(self.0).find_map(|(bad, share)| {
            end += u64::from(share);
            (number < end).then_some(bad)
        })
    }
}

impl FromStr for BadShares {
    type Err = String;

    /// Parses `3%:verify,3%:crash,2%:dead`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut shares = [0; Bad::ALL.len()];
        let mut seen = Vec::new();
        for item in text.split(',').map(str::trim) {
            let (share, name) = item.split_once(':').unwrap_or((item, ""));
            let mut kinds = Bad::ALL.into_iter().zip(&mut shares);
            let Some((bad, place)) = kinds.find(|(bad, _)| bad.key() == name) else {
                return Err(format!(
                    "{item:?}: write a share and what the release does, verify, crash or dead, as in 3%:crash"
                ));
            };
            if seen.contains(&bad) {
                return Err(format!("{text:?}: {name} stands there twice"));
            }
            seen.push(bad);
            *place = share.parse::<Rate>()?.0;
        }
        if shares.iter().sum::<u32>() > 1_000_000 {
            return Err(format!("{text:?}: together that is more than 100%"));
        }
        Ok(Self(shares))
    }
}

/// Fate of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    /// Bad release that each image is to it; `None` where they are good.
    pub(super) bad: Option<Bad>,
    /// Loss of power behind the last byte of the first image that comes so far,
    /// and whether it is a silent one: then nothing ends the connection until the
    /// device is on again.
    pub(super) power_loss: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::super::plan::Plan;
    use super::super::plan::tests::plan;
    use super::*;

    #[test]
    fn shares_say_what_is_wrong_with_them() {
        let shares: BadShares = "3%:verify, 2.5%:dead".parse().unwrap();
        assert_eq!(shares, BadShares([30_000, 0, 25_000]));
        assert!("50%:dead,50%:crash".parse::<BadShares>().is_ok());
        for (text, words) in [
            ("", "3%:crash"),
            ("3%", "3%:crash"),
            ("3%:burns", "3%:crash"),
            ("crash:3%", "3%:crash"),
            ("3:crash", "0% to 100%"),
            ("3%:crash,", "3%:crash"),
            ("1%:crash,2%:crash", "twice"),
            ("60%:crash,41%:dead", "more than 100%"),
        ] {
            let error = text.parse::<BadShares>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn the_same_seed_meets_the_same_devices_and_a_share_is_a_share() {
        let bad = Plan {
            bad: "3%:verify,4%:crash,2%:dead".parse().unwrap(),
            power_loss: "5%".parse().unwrap(),
            ..plan(100_000)
        };
        let fates: Vec<Fate> = (0..bad.devices).map(|n| bad.fate(n)).collect();
        let again: Vec<Fate> = (0..bad.devices).map(|n| bad.fate(n)).collect();
        assert_eq!(fates, again);
        let other = Plan {
            seed: 2,
            ..bad.clone()
        };
        assert!((0..bad.devices).any(|n| other.fate(n) != fates[n as usize]));
        let count = |is: &dyn Fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
        for (kind, expected) in [
            (Bad::Verify, 3_000),
            (Bad::Crash, 4_000),
            (Bad::Dead, 2_000),
        ] {
            let met = count(&|fate| fate.bad == Some(kind));
            assert!(met.abs_diff(expected) < 300, "{kind:?}: {met}");
        }
        let lost = count(&|fate| fate.power_loss.is_some());
        let silent = count(&|fate| fate.power_loss == Some(true));
        assert!(lost.abs_diff(5_000) < 400 && silent.abs_diff(2_500) < 300);
        // Who loses power is no other device for a bad release.
        let good = Plan {
            bad: BadShares::default(),
            ..bad
        };
        assert!((0..1000).all(|n| good.fate(n).power_loss == fates[n as usize].power_loss));
    }
}
