"""An index on one machine: generations in a folder, of SQLite, FAISS, tantivy and mapped arrays."""
