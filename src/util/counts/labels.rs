//! Values by which counts are told apart.

/// Declares values that are told apart by one label, which never grow in number.
macro_rules! labelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $value:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $value,)* }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// Returns the name that Prometheus shows.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$value => $label),* }
            }
        }
    };
}

labelled! {
    /// Outcome of a check-in.
    CheckIn {
        /// A file was offered.
        Offered = "offered",
        /// A file was offered, to be installed whatever the device's own comparison says.
        Forced = "forced",
        /// Nothing above the device's version is here.
        UpToDate = "up_to_date",
        /// Something above its version is here, and must not go to it.
        Withheld = "withheld",
        /// A file that might be for it was not read yet.
        StillReading = "still_reading",
        /// Nothing was said of firmware, which would crash the device's parser.
        Silent = "silent",
        /// It was answered with an error.
        Refused = "refused",
    }
}

labelled! {
    /// Way of a check-in, from the client to the first server that it met.
    Transport {
        /// Plain HTTP, or a proxy in front did not say.
        Http = "http",
        /// TLS.
        Https = "https",
    }
}

impl Transport {
    /// Returns the way of a client that came over TLS, or not.
    pub const fn of(secure: bool) -> Self {
        if secure { Self::Https } else { Self::Http }
    }
}

labelled! {
    /// End of a download.
    Download {
        /// All that was asked for went to the connection.
        Whole = "whole",
        /// The client left, or the file could not be read on.
        Cut = "cut",
    }
}

labelled! {
    /// Reason why a connection could not stay.
    TurnedAway {
        /// Its network had its share, and none was free.
        Share = "share",
        /// It had not asked, and had to make room for others.
        MadeRoom = "made_room",
    }
}

labelled! {
    /// Reason why a line is not in the log.
    LeftOut {
        /// More came than a second brings (`gateway.log.rate`).
        Rate = "rate",
        /// An output took none: its disk is full, or nobody reads it.
        Output = "output",
    }
}
