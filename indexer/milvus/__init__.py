"""An index in Milvus: published from a folder's generations, and served to as many machines as there are."""
