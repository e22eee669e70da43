package media

import "math"

// fullScale is 0 dBFS: the largest 16-bit amplitude.
const fullScale = 32768

// SilenceLevel is what levels of nothing at all read, in dBFS: below what 16 bits can hold.
const SilenceLevel = -120.0

// RMS is the root mean square of pcm, 0 to 32768.
func RMS(pcm []int16) float64 {
	if len(pcm) == 0 {
		return 0
	}
	var sum int64
	for _, s := range pcm {
		sum += int64(s) * int64(s)
	}
	return math.Sqrt(float64(sum) / float64(len(pcm)))
}

// Peak is the largest magnitude in pcm, 0 to 32768.
func Peak(pcm []int16) int {
	peak := 0
	for _, s := range pcm {
		peak = max(peak, int(s), -int(s))
	}
	return peak
}

// DBFS is an amplitude in decibels below full scale: 32768 is 0, half of it -6, nothing SilenceLevel.
func DBFS(amplitude float64) float64 {
	if amplitude <= 0 {
		return SilenceLevel
	}
	return max(20*math.Log10(amplitude/fullScale), SilenceLevel)
}

// Level is the loudness of pcm in dBFS: that of its RMS, so a sine of full scale reads -3.
func Level(pcm []int16) float64 { return DBFS(RMS(pcm)) }
