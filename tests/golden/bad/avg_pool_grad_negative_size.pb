
bad/apg_0_m1Œ
6
PlaceholderPlaceholder*
dtype0*
shape:
8
Placeholder_1Placeholder*
dtype0*
shape:
’
AvgPoolGradAvgPoolGradPlaceholderPlaceholder_1*
strides
*
T0*
ksize
*
paddingVALID*
data_formatNHWC"ª"‰
+
Placeholder:0"ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ
I
Placeholder_1:06" ËJ0¾KY{?%#\?V—3¿øGW¾˜^½g¥ù=Ï‹?
AvgPoolGrad:01-Cëâ6?9ñhãˆµøä>BgenRINVALID_ARGUMENTZLOAD|RUNbAvgPoolGradbPlaceholderj TF: Graph execution error: