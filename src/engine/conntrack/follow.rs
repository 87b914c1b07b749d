//! Adds later segments to the entry of a SYN: facts from their numbers and from the paths of answers.

use super::arrival::Following;
use super::facts::Answer;
use super::path::{self, Path};
use super::set::{Entry, NO_PATH, NO_SYN};
use crate::wire::links::Links;
use crate::wire::segment::Flags;

impl Entry {
    /// Adds a segment of the client. Returns whether its numbers fit, and whether it shows that an assumed
    /// repeat of the SYN was an attempt.
    pub(super) fn client(&mut self, arrival: &Following<'_>, links: &Links) -> (bool, bool) {
        let (segment, path) = (arrival.segment, &arrival.path);
        if self.facts.has_two_legs() && !path.is_that_of(&self.path) {
            return (true, false);
        }
        let was_ended = self.facts.is_ended_one_way();
        let (fits, is_renewed) = self.facts.client(segment);
        if !was_ended && self.facts.is_ended_one_way() {
            self.ended = self.since_start(arrival.time);
        }
        if self.marks & (NO_SYN | NO_PATH) != 0 && self.facts.is_known() {
            // The SYN was not seen, so the path of the acknowledgment stands for its path.
            self.path = *path;
            self.marks &= !NO_PATH;
            let shown = path::judge(path, &[path.link], &self.answer_path(), true, links);
            self.facts.show(shown);
        }
        (fits, is_renewed)
    }

    /// Adds a segment of the server. Returns the same two values.
    pub(super) fn server(&mut self, arrival: &Following<'_>, links: &Links) -> (bool, bool) {
        let (segment, path) = (arrival.segment, &arrival.path);
        let first = self.answer_path();
        if !segment.flags.has(Flags::SYN) {
            if self.facts.has_two_legs() && !path.is_that_of(&first) {
                return (true, false);
            }
            return (self.facts.server(segment, path.is_that_of(&first)), false);
        }
        let on_first_path = path.is_that_of(&first);
        let answer = self.facts.answer(segment, on_first_path);
        match answer {
            Answer::No => {}
            // The client acknowledged the number of the real server.
            Answer::Elsewhere if self.facts.is_known() => {}
            Answer::Elsewhere => {
                // A SYN-ACK that is forged on the SYN's side may be forwarded to where the real server's
                // answer went.
                let shown = path::judge(&self.path, &self.links(), path, false, links);
                self.facts.show(shown & (path::SAME | path::MAC_SAME));
            }
            Answer::First => (self.answer_link, self.answer_from) = (path.link, path.from),
            Answer::Again => {}
            Answer::Renewal => return (true, true),
        }
        if matches!(answer, Answer::First | Answer::Again) && self.marks & (NO_SYN | NO_PATH) == 0 {
            let shown = path::judge(&self.path, &self.links(), path, answer == Answer::First, links);
            self.facts.show(shown);
        }
        (true, false)
    }

    /// The path of the first answer, as far as it is stored.
    pub(super) fn answer_path(&self) -> Path {
        Path { link: self.answer_link, from: self.answer_from, ..Path::default() }
    }
}
