
lists/bad_optional_shape«
.
xPlaceholder*
shape:*
dtype0
X
OptionalFromValueOptionalFromValuex*
Toutput_types
2:êèÒ
i
OptionalGetValueOptionalGetValueOptionalFromValue*
output_types
2*
output_shapes
:
/
IdentityIdentityOptionalGetValue*
T0"ª")

x:0"ìQ¸=¤p½¾

Identity:01ñhãˆµøä>9íµ ÷Æ°>B'tools/golden_case.py, TensorFlow 2.21.0RINVALID_ARGUMENTZLOAD|RUNbIdentitybOptionalFromValuebOptionalGetValuebPlaceholderj5    File "/tmp/opset/lists.py", line 137, in <module>