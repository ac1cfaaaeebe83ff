"""Arrays of any type as the values that DICOM can hold."""
