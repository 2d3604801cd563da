"""Conversations of five turns over seeds/, and what the first quote of each answer holds."""

TALKS = (
    (
        ("What does Gabuev expect from military cooperation?", "closer military cooperation"),
        ("And in the Arctic?", "including in places like the Arctic"),
        ("What does he say about payment systems?", "facilitating currency and payment systems"),
        ("How many homes were made uninhabitable at Saltmarsh?", "Seventeen houses"),
        ("Who said so?", "the county said"),
    ),
    (
        ("How much carbon does eelgrass store?", "2.3 times as much carbon"),
        ("Who led the eelgrass survey?", "Wenna Castellow, who led both studies"),
        ("What did Idony Hallam say about the bridge?", "painful but did not change the case"),
        ("Who voted against it?", "Perrin Ashgrove, who voted against"),
        ("When did work on it begin?", "Work is to begin in May"),
    ),
)
