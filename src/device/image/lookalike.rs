//! Kinds of files that people bring in place of an image.

/// A kind of file that people bring in place of an image. Names of formats are proper names,
/// the same in every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookalike {
    /// The linker's output.
    Elf,
    /// An archive.
    Zip,
    /// A compressed file.
    Gzip,
    /// A compressed file.
    Bzip2,
    /// A compressed file.
    Xz,
    /// Another archive or compressed file, by its format.
    Archive(&'static str),
    /// An encrypted file, by what made it.
    Locked(&'static str),
    /// A page that a browser saved in place of a file.
    WebPage,
    /// An answer for programs, JSON or XML, that a download saved in place of a file.
    Answer(&'static str),
    /// A stand-in for the file.
    GitLfsPointer,
    /// A text, by its encoding.
    Text(&'static str),
    /// A program's source.
    Source,
    /// The text that a partition table is made from.
    PartitionCsv,
    /// Bytes written as text, by the format.
    Encoded(&'static str),
    /// An image that a program has written as if it were a text, by the encoding.
    Rewritten(&'static str),
    /// Blocks for a bootloader that shows itself as a disk.
    Uf2,
    /// A file for USB's device firmware upgrade.
    Dfu,
    /// A program for another system, by its format.
    Program(&'static str),
    /// A picture, a sound, a document, by its format.
    Document(&'static str),
    /// A file system's image, by its name.
    FileSystem(&'static str),
    /// Firmware in a container that this device does not open, by its format.
    Container(&'static str),
    /// An image for `esp_encrypted_img`.
    PreEncrypted,
    /// The difference between two images, by its format.
    Delta(&'static str),
    /// Bytes as even as an encrypted or compressed file's.
    Random,
    /// An image of the ESP8266.
    Esp8266,
    /// Content of a partition named `assets`, and whole.
    Assets,
    /// Models of wake words, and whole.
    Models,
}
