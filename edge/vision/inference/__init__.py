"""Models on pictures: .tflite files of a person detector or an item classifier, run by whichever runtime is here."""
