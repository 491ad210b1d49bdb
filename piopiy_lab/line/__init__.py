"""What a phone line does to sound: codecs, loss, noise, echo. Pure: numpy in, numpy out."""
