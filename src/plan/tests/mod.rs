//! Plans as tables: wanted and live on the left, what comes of them on the right. See [`table`] for the notation.
mod adoption;
mod consent;
mod copies;
mod edges;
mod guards;
mod later;
mod lint;
mod ownership;
mod scale;
mod shown;
mod table;
mod toys;
