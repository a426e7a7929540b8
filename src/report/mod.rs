//! Reports of a run: what an operator attaches to a ticket, and what a build server reads. Pure: plain data in, text out.
//!
//! - `facts`: what a report says, from the rows of the journal
//! - `words`: what all formats say in the same sentences
//! - `escape`: texts from outside, made fit for each format
//! - `html` with `svg`, `junit`, `csv`, `text`: the formats

pub mod csv;
mod escape;
mod facts;
mod html;
mod junit;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use facts::{Made, Report};

use crate::model::ReportFormat;

/// The whole of it, in this format.
pub fn written(report: &Report, format: ReportFormat) -> String {
    match format {
        ReportFormat::Html => html::page(report),
        ReportFormat::Junit => junit::suites(report),
        ReportFormat::Csv => csv::run(report),
        ReportFormat::Text => text::text(report),
    }
}
