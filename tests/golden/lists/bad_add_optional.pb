
lists/bad_add_optionalË

OptionalNoneOptionalNone
.
xPlaceholder*
shape:*
dtype0
X
OptionalFromValueOptionalFromValuex*
Toutput_types
2:êèÒ
?
AddNAddNOptionalNoneOptionalFromValue*
N*
T0
*
OptionalHasValueOptionalHasValueAddN
/
IdentityIdentityOptionalHasValue*
T0
"ª")

x:0"\ÀÍÌÌ?

Identity:01ñhãˆµøä>9íµ ÷Æ°>B'tools/golden_case.py, TensorFlow 2.21.0RINVALID_ARGUMENTZLOAD|RUNbAddNbIdentitybOptionalFromValuebOptionalHasValuebOptionalNonebPlaceholderj5    File "/tmp/opset/lists.py", line 137, in <module>