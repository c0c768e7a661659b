//! Stands in for the reader of releases' names.

/// Stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseName {
    pub(crate) version: Option<String>,
    pub(crate) boards: Boards,
}

/// Stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Boards {
    None,
    One(String),
    Either(String, String),
}

/// Reads `v2.1.0_board.zip`.
pub(crate) fn parse(file_name: &str) -> ReleaseName {
    let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
    let split = stem.strip_prefix('v').and_then(|rest| rest.split_once('_'));
    let Some((version, board)) = split else {
        return ReleaseName {
            version: None,
            boards: Boards::None,
        };
    };
    let boards = match board.strip_prefix("waveshare-") {
        Some(rest) => Boards::Either(board.to_owned(), rest.to_owned()),
        None => Boards::One(board.to_owned()),
    };
    ReleaseName {
        version: Some(version.to_owned()),
        boards,
    }
}
