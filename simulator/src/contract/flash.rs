//! A NOR flash whose power is cut at the worst moments.
//!
//! A page is erased as a whole, to ones, and takes milliseconds; a word is programmed once after
//! that, which only makes zeros of ones. Nothing is buffered and nothing reordered: what an
//! operation has done is there. The trap is the operation that power fails in. A word that was
//! half programmed has bits that hang between: they may read as zeros today and as ones
//! tomorrow, or at every look as something else, and a check that was right once proves nothing.
//! A word that looks erased may be one whose programming had begun. A page whose erasing was cut
//! may look whole, or blank, and is neither.
//!
//! | torn by a [`Fate`] | of a program | of an erase |
//! |---|---|---|
//! | `bytes` | the words before this byte are programmed, the one around it hangs between, the others are untouched | where one half of the page ends |
//! | [`Rest::Old`] | the hanging bits read as ones first, | before it all reads as ones, behind it as it was |
//! | [`Rest::Zeros`] | as zeros first, that is as if done, | before it all is as it was, behind it every bit hangs |
//! | always | and the other way round after the next power cut; in the middle of a word, as anything at every look | no word of it counts as erased |
//!
//! An operation is a call of [`write`](NorFlash::write), or one page of a call of
//! [`erase`](NorFlash::erase). To program a word that was not erased before, even one that looks
//! so, is [misuse](Medium::misuse), as the interface says; so is what is not aligned or out of
//! bounds.

use std::sync::{Arc, Mutex, MutexGuard};

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

use super::medium::{Failed, Fate, Fault, Medium, Rest};
use super::power::Power;

/// What the bits that hang between read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shows {
    Ones,
    Zeros,
    /// Something else at every look.
    Noise,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    Erased,
    Programmed,
    /// It was struck: some of its bits may hang between.
    Loose(Shows),
}

#[derive(Clone, Debug)]
enum Operation {
    Program { offset: usize, bytes: Vec<u8> },
    Erase { page: usize },
}

#[derive(Debug)]
struct Cells {
    word_bytes: usize,
    page_bytes: usize,
    bytes: Vec<u8>,
    /// The bits that hang between.
    loose: Vec<u8>,
    words: Vec<Word>,
    erases: Vec<u32>,
    power: Power,
    /// What power failed in.
    struck: Option<Operation>,
    reads: u64,
    misuse: Option<String>,
}

impl Cells {
    fn look(&self, place: usize) -> u8 {
        let shown = match self.words[place / self.word_bytes] {
            Word::Erased | Word::Programmed => 0,
            Word::Loose(Shows::Ones) => 0xff,
            Word::Loose(Shows::Zeros) => 0,
            Word::Loose(Shows::Noise) => {
                let mixed = (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    ^ self.reads.wrapping_mul(0xd6e8_feb8_6659_fd93);
                (mixed.wrapping_mul(0x0100_0000_01b3) >> 32) as u8
            }
        };
        let loose = self.loose[place];
        self.bytes[place] & !loose | shown & loose
    }

    /// Begins an operation, and does it unless it is struck.
    fn begin(&mut self, operation: Operation) -> Result<(), Failed> {
        match self.power.begin()? {
            None => {
                self.finish(&operation);
                return Ok(());
            }
            Some(Fault::PowerCut) => self.struck = Some(operation),
            Some(Fault::Refused) => {}
            Some(Fault::Broken) => {
                let len = self.len(&operation);
                let middle = len / 2 / self.word_bytes * self.word_bytes + self.word_bytes / 2;
                self.tear(&operation, middle, Rest::Old);
            }
        }
        Err(Failed)
    }

    fn len(&self, operation: &Operation) -> usize {
        match operation {
            Operation::Program { bytes, .. } => bytes.len(),
            Operation::Erase { .. } => self.page_bytes,
        }
    }

    fn finish(&mut self, operation: &Operation) {
        match operation {
            Operation::Program { offset, bytes } => self.program(*offset, bytes),
            Operation::Erase { page } => self.erase(*page),
        }
    }

    fn program(&mut self, offset: usize, bytes: &[u8]) {
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        let first = offset / self.word_bytes;
        self.words[first..first + bytes.len() / self.word_bytes].fill(Word::Programmed);
    }

    fn erase(&mut self, page: usize) {
        let start = page * self.page_bytes;
        let end = start + self.page_bytes;
        self.bytes[start..end].fill(0xff);
        self.loose[start..end].fill(0);
        self.words[start / self.word_bytes..end / self.word_bytes].fill(Word::Erased);
        self.erases[page] += 1;
    }

    fn tear(&mut self, operation: &Operation, cut: usize, rest: Rest) {
        match operation {
            Operation::Program { offset, bytes } => {
                let cut = cut.min(bytes.len());
                let (whole, part) = (
                    cut / self.word_bytes * self.word_bytes,
                    cut % self.word_bytes,
                );
                self.program(*offset, &bytes[..whole]);
                if part == 0 {
                    return;
                }
                let start = offset + whole;
                self.program(start, &bytes[whole..whole + self.word_bytes]);
                for place in start..start + self.word_bytes {
                    self.loose[place] = !self.bytes[place];
                }
                self.words[start / self.word_bytes] = Word::Loose(match rest {
                    _ if part * 2 == self.word_bytes => Shows::Noise,
                    Rest::Old => Shows::Ones,
                    Rest::Zeros => Shows::Zeros,
                });
            }
            Operation::Erase { page } => {
                let start = page * self.page_bytes;
                let (cut, end) = (start + cut.min(self.page_bytes), start + self.page_bytes);
                match rest {
                    Rest::Old => {
                        self.bytes[start..cut].fill(0xff);
                        self.loose[start..cut].fill(0);
                    }
                    Rest::Zeros => self.loose[cut..end].fill(0xff),
                }
                let words = &mut self.words[start / self.word_bytes..end / self.word_bytes];
                words.fill(Word::Loose(Shows::Noise));
                self.erases[*page] += 1;
            }
        }
    }

    fn forbid(&mut self, what: String) -> NorFlashErrorKind {
        self.misuse.get_or_insert(what);
        NorFlashErrorKind::Other
    }

    /// The places of the words that hold something which is not disputed.
    fn programmed(&self) -> impl Iterator<Item = usize> {
        let words = self.words.iter().enumerate();
        words.filter_map(|(place, word)| (*word == Word::Programmed).then_some(place))
    }
}

/// A handle to a simulated flash with words of `WORD` bytes and pages of `PAGE` bytes; its clones
/// mean the same one. It has the interface of `embedded-storage`, so that a driver which is
/// generic over that runs on it unchanged.
#[derive(Clone, Debug)]
pub struct Flash<const WORD: usize = 8, const PAGE: usize = 4096>(Arc<Mutex<Cells>>);

impl<const WORD: usize, const PAGE: usize> Flash<WORD, PAGE> {
    /// An erased one of so many pages.
    pub fn new(pages: usize) -> Self {
        const {
            assert!(WORD > 0 && PAGE.is_multiple_of(WORD));
        }
        let len = pages * PAGE;
        Flash(Arc::new(Mutex::new(Cells {
            word_bytes: WORD,
            page_bytes: PAGE,
            bytes: vec![0xff; len],
            loose: vec![0; len],
            words: vec![Word::Erased; len / WORD],
            erases: vec![0; pages],
            power: Power::default(),
            struck: None,
            reads: 0,
            misuse: None,
        })))
    }

    /// How often each page was erased since the flash was made. Some ten thousand times is what a
    /// page is usually good for.
    pub fn erases(&self) -> Vec<u32> {
        self.cells().erases.clone()
    }

    fn cells(&self) -> MutexGuard<'_, Cells> {
        // Nothing that holds the lock can panic half way.
        self.0.lock().unwrap_or_else(|lock| lock.into_inner())
    }
}

impl<const WORD: usize, const PAGE: usize> ErrorType for Flash<WORD, PAGE> {
    type Error = NorFlashErrorKind;
}

impl<const WORD: usize, const PAGE: usize> ReadNorFlash for Flash<WORD, PAGE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let checked = check_read(self, offset, bytes.len());
        let mut cells = self.cells();
        if let Err(error) = checked {
            cells.forbid(format!(
                "it reads {} bytes at {offset}: {error}",
                bytes.len()
            ));
            return Err(error);
        }
        if cells.power.is_out() {
            return Err(NorFlashErrorKind::Other);
        }
        cells.reads += 1;
        for (byte, place) in bytes.iter_mut().zip(offset as usize..) {
            *byte = cells.look(place);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.cells().bytes.len()
    }
}

impl<const WORD: usize, const PAGE: usize> NorFlash for Flash<WORD, PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        let checked = check_erase(self, from, to);
        let mut cells = self.cells();
        if let Err(error) = checked {
            cells.forbid(format!("it erases from {from} to {to}: {error}"));
            return Err(error);
        }
        for page in from as usize / PAGE..to as usize / PAGE {
            let begun = cells.begin(Operation::Erase { page });
            begun.map_err(|Failed| NorFlashErrorKind::Other)?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let checked = check_write(self, offset, bytes.len());
        let mut cells = self.cells();
        if let Err(error) = checked {
            cells.forbid(format!(
                "it writes {} bytes at {offset}: {error}",
                bytes.len()
            ));
            return Err(error);
        }
        let offset = offset as usize;
        let words = &cells.words[offset / WORD..(offset + bytes.len()) / WORD];
        let used = words.iter().position(|word| *word != Word::Erased);
        if let Some(used) = used.filter(|_| !cells.power.is_out()) {
            let place = offset + used * WORD;
            let how = match cells.words[place / WORD] {
                Word::Loose(_) => "was half programmed or half erased",
                Word::Programmed | Word::Erased => "is programmed already",
            };
            return Err(cells.forbid(format!("it programs the word at {place}, which {how}")));
        }
        let bytes = bytes.to_vec();
        let begun = cells.begin(Operation::Program { offset, bytes });
        begun.map_err(|Failed| NorFlashErrorKind::Other)
    }
}

impl<const WORD: usize, const PAGE: usize> Medium for Flash<WORD, PAGE> {
    fn operations(&self) -> u64 {
        self.cells().power.operations()
    }

    fn strike(&mut self, at: u64, fault: Fault) {
        self.cells().power.strike(at, fault);
    }

    fn is_powered(&self) -> bool {
        !self.cells().power.is_out()
    }

    fn unsynced(&self) -> Vec<usize> {
        let cells = self.cells();
        let struck = cells.struck.iter();
        struck.map(|operation| cells.len(operation)).collect()
    }

    fn reorders(&self) -> bool {
        false
    }

    fn settle(&mut self, fate: &Fate) {
        let mut cells = self.cells();
        for word in &mut cells.words {
            match word {
                Word::Loose(shows @ Shows::Ones) => *shows = Shows::Zeros,
                Word::Loose(shows @ Shows::Zeros) => *shows = Shows::Ones,
                Word::Loose(Shows::Noise) | Word::Erased | Word::Programmed => {}
            }
        }
        if let Some(operation) = cells.struck.take() {
            if fate.keeps(0) {
                cells.finish(&operation);
            } else if let Some(torn) = fate.torn {
                cells.tear(&operation, torn.bytes, torn.rest);
            }
        }
        cells.power.come_back();
    }

    fn decaying_bits(&self) -> u64 {
        self.cells().programmed().count() as u64 * WORD as u64 * 8
    }

    fn flip(&mut self, bit: u64) {
        let mut cells = self.cells();
        let (word, bit) = (bit / (WORD as u64 * 8), bit % (WORD as u64 * 8));
        let Some(place) = cells.programmed().nth(word as usize) else {
            return;
        };
        cells.bytes[place * WORD + (bit / 8) as usize] ^= 1 << (bit % 8);
    }

    fn wipe(&mut self) {
        let mut cells = self.cells();
        cells.bytes.fill(0xff);
        cells.loose.fill(0);
        cells.words.fill(Word::Erased);
        (cells.struck, cells.reads, cells.misuse) = (None, 0, None);
    }

    fn misuse(&self) -> Option<String> {
        self.cells().misuse.clone()
    }
}
